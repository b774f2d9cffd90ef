import { expect, it } from 'vitest'
import { DirectoryRemover } from '../../src/broker/directory-remover.ts'
import { append, batchOf, PARTITION, ROOT, simulated } from '../log/support.ts'

const OPTIONS = { perTurn: 64, isOrphan: () => false, forget: () => {} }

it('a replica that is moved away and back is not taken for damaged, whenever the power goes', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { broker, disk, flusher } = simulated(false)
    const config = { segmentBytes: 300, flushMessages: 1 }
    const settle = () => {
      while (flusher.doWork() > 0);
    }
    const log = broker.open(config)
    for (let i = 0; i < 10; i++) append(log, batchOf(['a', 'b']))
    log.flushAll(() => {})
    settle()
    log.close()
    for (const name of disk.list(ROOT)) {
      if (name.startsWith('recovery-points')) disk.flush(`${ROOT}/${name}`)
    }
    const remover = new DirectoryRemover(broker.environment, OPTIONS)
    remover.add(PARTITION, log.directory)
    for (let now = 0; remover.pending > 0; now++) remover.doWork(now)
    expect([disk.list(log.directory), remover.has(log.directory)]).toEqual([[], true])
    settle()
    expect(remover.has(log.directory)).toBe(false)
    append(broker.open(config), batchOf(['new']))
    settle()
    disk.powerCut(seed)
    flusher.forget()
    broker.start()
    expect(broker.open(config).failure).toBe(null)
  }
})
