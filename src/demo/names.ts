// People and places: the alt texts of family albums and travel pages. They are in no language, and say
// nothing that a picture could show.

import type { Random } from './random.ts';

const given = [
  'Anna',
  'Marek',
  'Luca',
  'Ingrid',
  'Tomás',
  'Yuki',
  'Elif',
  'Nikolai',
  'Sofia',
  'Jonas',
  'Amélie',
  'Ravi',
  'Linh',
  'Kofi',
  'Marta',
  'Pekka',
  'Zsófia',
  'Omar',
  'Petra',
  'Diego',
  'Hana',
  'Bruno',
  'Aino',
  'Viktor',
  'Carmen',
  'Emil',
];
const family = [
  'Kowalska',
  'Nowak',
  'Bianchi',
  'Lindqvist',
  'Pereira',
  'Tanaka',
  'Yılmaz',
  'Petrov',
  'Rossi',
  'Berger',
  'Lefèvre',
  'Sharma',
  'Nguyen',
  'Mensah',
  'García',
  'Virtanen',
  'Szabó',
  'Haddad',
  'Novotná',
  'Fernández',
  'Kim',
  'Costa',
];
const places = [
  'Porto',
  'Kraków',
  'Bergen',
  'Osaka',
  'Lyon',
  'Tampere',
  'Bologna',
  'Graz',
  'Vilnius',
  'Győr',
  'Utrecht',
  'Malmö',
  'Hué',
  'Pune',
  'Busan',
  'Lviv',
  'Tartu',
  'Sevilla',
  'Accra',
  'Izmir',
  'Odense',
  'Melaka',
  'Chiang Mai',
  'Recife',
];

export function pickName(random: Random): string {
  const person = `${random.pick(given)} ${random.pick(family)}`;
  const place = random.pick(places);
  const year = random.integer(1994, 2024);
  const forms = [`${person}, ${place}`, `${person} & ${random.pick(given)}, ${place}`, `${place} ${year}`, `${person} (${place}, ${year})`];
  return random.pick(forms);
}
