/**
 * DescribeLogDirs: a broker's log directories, and how large the partitions in them are. Versions 1–5; flexible from 2.
 *
 * - 3: an error for the whole (KIP-784)
 * - 4: size and free bytes of the volume (KIP-827)
 * - 5: directories that take no new partitions (KIP-1066)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, int16, int32, int64, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const describeLogDirs = api({
  key: 35,
  name: 'DescribeLogDirs',
  versions: between(1, 5),
  flexibleFrom: 2,
  request: {
    /** null for all. */
    topics: array(
      { topic: string({ entity: 'topicName' }), partitions: array(int32()) },
      { nullable: always },
    ),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ versions: since(3), ignorable: true }),
    results: array({
      errorCode: int16(),
      logDir: string({ entity: 'directoryId' }),
      topics: array({
        name: string({ entity: 'topicName' }),
        partitions: array({
          partitionIndex: int32(),
          partitionSize: int64(),
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: int64({ versions: since(4), default: -1, ignorable: true }),
      usableBytes: int64({ versions: since(4), default: -1, ignorable: true }),
      isCordoned: bool({ versions: since(5), ignorable: true }),
    }),
  },
})

export type DescribeLogDirsRequest = RequestOf<typeof describeLogDirs>
export type DescribeLogDirsResponse = ResponseOf<typeof describeLogDirs>
export type DescribeLogDirsRequestInput = RequestInputOf<typeof describeLogDirs>
export type DescribeLogDirsResponseInput = ResponseInputOf<typeof describeLogDirs>
