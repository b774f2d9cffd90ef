#!/bin/sh
# Writes test/fixtures/protocol/vectors-*.json.gz with Apache Kafka's own message classes; see README.md here.
# Needs a JDK of version 17 or later, and Maven unless KAFKA_CLIENTS_CLASSPATH names kafka-clients and slf4j-api.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=4.3.1
keys="${*:-0 1 2 3 10 18 19 20 22 32 60 75}"
classpath="${KAFKA_CLIENTS_CLASSPATH:-}"
if [ -z "$classpath" ]; then
  libraries=$(mktemp -d)
  trap 'rm -rf "$libraries"' EXIT
  for artifact in org.apache.kafka:kafka-clients:$version org.slf4j:slf4j-api:1.7.36; do
    mvn -q dependency:copy -Dartifact="$artifact" -DoutputDirectory="$libraries"
  done
  classpath="$libraries/*"
fi
mkdir -p "$here/../fixtures/protocol"
# shellcheck disable=SC2086
java -cp "$classpath" "$here/Vectors.java" "$here/../fixtures/protocol" $keys
