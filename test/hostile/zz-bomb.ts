import { Wire } from '../clients/wire.ts'
import { batchAround, gzipBomb, zstdBomb } from './records.ts'
import { sleep, Target } from './target.ts'

const t = await Target.start()
const w = await Wire.open(t.engine.bootstrap)
await w.createTopic('p', 1, { 'cleanup.policy': 'compact' })
console.log('before', t.rssMb())
for (const b of [batchAround(gzipBomb(900), 1), batchAround(zstdBomb(1000), 4)])
  for (let i = 0; i < 5; i++) await w.produce('p', 0, b)
console.log('after', t.rssMb())
await sleep(40_000)
console.log('40 s later', t.rssMb())
await t.stop()
process.exit()
