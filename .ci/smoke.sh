#!/usr/bin/env bash
# Installs a packed tarball into an empty folder and tries it on one Node.js. Arguments: tarball, version of the npm package
# "node" or "installed". Ends with 0 when everything worked.
set -euo pipefail
tarball=$(realpath "$1")
version=$2
here=$(cd "$(dirname "$0")" && pwd)
export KAFKAJS_NO_PARTITIONER_WARNING=1
folder=$(mktemp -d)
engine=''
cleanup() {
  if [ -n "$engine" ]; then kill -9 "$engine" 2>/dev/null || true; fi
  rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"
echo '{"private": true, "type": "module"}' > package.json
npm install --silent --no-audit --no-fund "$tarball" kafkajs@2.2.4
if [ "$version" != installed ]; then
  npm install --silent --no-audit --no-fund "node@$version"
  export PATH="$folder/node_modules/node/bin:$PATH"
fi
node --version
port=$((20000 + RANDOM % 8000))
npx griot start --data-dir data --kafka-listen "127.0.0.1:$port" --http-listen "127.0.0.1:$((port + 3))" > out 2> err &
engine=$!
for _ in $(seq 100); do
  if npx griot health --url "http://127.0.0.1:$((port + 3))" > /dev/null 2>&1; then break; fi
  if ! kill -0 "$engine" 2>/dev/null; then cat out err; exit 1; fi
  sleep 0.1
done
cat out
cp "$here/smoke.mjs" "$here/smoke-embedded.mjs" .
timeout 60 node smoke.mjs "127.0.0.1:$port"
echo 'hello from kcat' | timeout 30 kcat -b "127.0.0.1:$port" -P -t kcat -p 0
test "$(timeout 30 kcat -b "127.0.0.1:$port" -C -t kcat -p 0 -e -q)" = 'hello from kcat'
echo 'hello from griot' | timeout 30 npx griot produce griot -b "127.0.0.1:$port" -q -z zstd
test "$(timeout 30 npx griot consume griot -b "127.0.0.1:$port" -e)" = 'hello from griot'
timeout 30 npx griot topic list -b "127.0.0.1:$port"
npx griot-bench list > /dev/null
timeout 60 npx griot-bench run end-to-end-open -b "127.0.0.1:$port" --seconds 1 --warmup 0 --json bench.json --html bench.html 2> /dev/null
node -e 'if (!(JSON.parse(require("fs").readFileSync("bench.json")).result.consumed.records > 0)) throw new Error("griot-bench read nothing")'
# npx runs griot as a child: the signal goes to whoever holds the lock of the data directory
kill -TERM "$(node -p 'JSON.parse(require("fs").readFileSync("data/lock/1.claim")).pid')"
wait "$engine" || { echo "griot start ended with $?"; cat err; exit 1; }
engine=''
timeout 60 node smoke-embedded.mjs
