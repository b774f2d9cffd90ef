/** What there is to measure: one file each, loaded in the process that measures it. */
import { accountingSubject } from './accounting.ts'
import { aclsSubject } from './acls.ts'
import { batchSubject } from './batch.ts'
import { brokerLinkSubject } from './broker-link.ts'
import type { Subject } from './case.ts'
import { codecSubject } from './codec.ts'
import { countersSubject } from './counters.ts'
import { crcSubject } from './crc.ts'
import { dispatchSubject } from './dispatch.ts'
import { indexSubject } from './index-lookup.ts'
import { ringSubject } from './ring.ts'
import { ringLogSubject } from './ring-log.ts'

export const SUBJECTS = {
  crc: crcSubject,
  batch: batchSubject,
  ring: ringSubject,
  'ring-log': ringLogSubject,
  'broker-link': brokerLinkSubject,
  index: indexSubject,
  dispatch: dispatchSubject,
  counters: countersSubject,
  accounting: accountingSubject,
  acls: aclsSubject,
  codec: codecSubject,
} as const satisfies Readonly<Record<string, () => Subject>>

export type SubjectName = keyof typeof SUBJECTS
export const subjectNames = Object.keys(SUBJECTS) as readonly SubjectName[]
