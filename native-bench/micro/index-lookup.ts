import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  IndexFile,
  OFFSET_ENTRY_BYTES,
  offsetEntryOffset,
  writeOffsetEntry,
} from '../../src/log/index-file.ts'
import { NodeDisk } from '../../src/log/node-disk.ts'
import { OpenFiles } from '../../src/log/open-files.ts'
import type { Subject } from './case.ts'

/** Of a full segment of 1 GB with an entry every 4 KB. */
const ENTRIES = 262_144
const STEP = 4

/** Where an offset is by a segment's index: in the block read last, and anywhere. The file is in the page cache. */
export function indexSubject(): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'griot-bench-index-'))
  const files = new OpenFiles(new NodeDisk(), 16)
  const handle = files.handle(join(directory, '0.index'), 'append')
  const index = new IndexFile(handle, OFFSET_ENTRY_BYTES, 0)
  for (let i = 0; i < ENTRIES; i++) writeOffsetEntry(index, i * STEP, i * 4096)
  index.commit()
  const lookUp = (offset: number) => {
    const before = index.search((bytes, at) => offsetEntryOffset(bytes, at) <= offset)
    if (before !== Math.floor(offset / STEP) + 1) throw new Error(`${offset} found at ${before}`)
  }
  let near = 0
  let far = 0
  return {
    cases: [
      { name: 'index look-up, one after another', run: () => lookUp(near++ % (ENTRIES * STEP)) },
      {
        name: 'index look-up, anywhere',
        run: () => lookUp((far += 7_654_321) % (ENTRIES * STEP)),
      },
    ],
    close: () => {
      handle.release()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
