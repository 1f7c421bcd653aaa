#!/usr/bin/env bash
# Makes the WATs of WARC files with Common Crawl's own extractor, for comparison: bench/extract/make-wats.sh CHECKOUT OUT_DIR FILE...
# CHECKOUT: a clone of https://github.com/commoncrawl/ia-web-commons (its package is in no registry). Needs Java 17 and Maven.
set -euo pipefail
checkout=$1 out=$2
shift 2
jar=$checkout/target/webarchive-commons-jar-with-dependencies.jar
[ -f "$jar" ] || mvn -q -f "$checkout/pom.xml" -DskipTests -Dforbiddenapis.skip=true package
mkdir -p "$out"
java -Dfile.encoding=UTF-8 -cp "$jar" "$(dirname "$0")/ExtractWat.java" "$out" "$@"
