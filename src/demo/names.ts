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
const towns = [
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
  const town = random.pick(towns);
  const year = random.integer(1994, 2024);
  const forms = [`${person}, ${town}`, `${person} & ${random.pick(given)}, ${town}`, `${town} ${year}`, `${person} (${town}, ${year})`];
  return random.pick(forms);
}
