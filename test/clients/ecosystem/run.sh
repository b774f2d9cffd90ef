#!/bin/sh
# Kafka Connect, Kafka Streams and the calls of web UIs against `griot start`.
# Usage, after `npm ci`: sh test/clients/ecosystem/run.sh connect|streams|ui|console, any of them or several.
# The first three need a JDK (17 or later), and Maven for Apache Kafka's jars unless GRIOT_KAFKA_LIBS names a directory that has
# those of test/clients/java/pom.xml; `console` needs Go 1.25. GRIOT_TEST_LONG=1 for the counts in full.
set -eu
cd "$(dirname "$0")/../../.."
target=$PWD/test/clients/ecosystem/target
files=
for name in "${@:?say what to run: connect, streams, ui, console}"; do
  files="$files test/clients/ecosystem/$name.test.ts"
  if [ "$name" = console ]; then
    (cd test/clients/ecosystem/console && go build -o "$target/console" .)
    export CONSOLE_CALLS="$target/console"
  else
    if [ -z "${GRIOT_KAFKA_LIBS:-}" ]; then
      export GRIOT_KAFKA_LIBS="$PWD/test/clients/java/target/libs"
      mvn -q -B -f test/clients/java/pom.xml dependency:copy-dependencies "-DoutputDirectory=$GRIOT_KAFKA_LIBS"
    fi
    export GRIOT_REQUIRE=java
  fi
done
# shellcheck disable=SC2086
exec npx vitest run $files
