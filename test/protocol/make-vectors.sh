#!/bin/sh
# Writes test/fixtures/protocol/*.json.gz with Apache Kafka's own message classes; see README.md here.
# Needs a JDK of version 17 or later, and Maven unless KAFKA_CLIENTS_CLASSPATH names kafka-clients,
# kafka-group-coordinator and slf4j-api.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=4.3.1
keys='0 1 2 3 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 29 30 31 32 33 35 36 37 42 43 44 45 46 47 48 50 51 55 60 61 74 75'
messages='OffsetCommitKey OffsetCommitValue GroupMetadataKey GroupMetadataValue'
messages="$messages ConsumerProtocolSubscription ConsumerProtocolAssignment"
wanted="${*:-$keys $messages}"
classpath="${KAFKA_CLIENTS_CLASSPATH:-}"
if [ -z "$classpath" ]; then
  libraries=$(mktemp -d)
  trap 'rm -rf "$libraries"' EXIT
  for artifact in org.apache.kafka:kafka-clients:$version \
    org.apache.kafka:kafka-group-coordinator:$version org.slf4j:slf4j-api:1.7.36; do
    mvn -q dependency:copy -Dartifact="$artifact" -DoutputDirectory="$libraries"
  done
  classpath="$libraries/*"
fi
mkdir -p "$here/../fixtures/protocol"
# shellcheck disable=SC2086
java -cp "$classpath" "$here/Vectors.java" "$here/../fixtures/protocol" $wanted
