/** A broker that starts says which directory it has. Looks at the state and returns an entry where that is news; changes nothing. */
import { ErrorCode } from '../base/error-code.ts'
import { asBrokerId, asCellId } from '../base/ids.ts'
import { brokerKey } from '../image/broker-directories.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { ControllerRequest } from '../image/request.ts'
import { type Refusal, refuse } from '../image/results.ts'
import type { ControllerState } from './state.ts'

type RegisterBroker = Extract<ControllerRequest, { kind: 'register-broker' }>
type BrokerDirectoryEntry = Extract<MetadataEntry, { kind: 'broker-directory' }>

/** Characters of a rack's name: every thread holds it, and Metadata carries it. */
export const RACK_CHARS_MAX = 249

/** A directory with another id has forgotten what the one before promised: it is another life of the broker. */
export function planRegisterBroker(
  state: ControllerState,
  request: RegisterBroker,
): BrokerDirectoryEntry | Refusal | null {
  const refusal = refuseRegistration(state, request)
  if (refusal !== null) return refusal
  const { directoryId, rack } = request
  const cellId = asCellId(request.cellId)
  const brokerId = asBrokerId(request.brokerId)
  const known = state.brokers.get(brokerKey(cellId, brokerId))
  const isSame = known?.directoryId === directoryId
  if (isSame && known.rack === rack) return null
  const life = known === undefined ? 0 : known.life + (isSame ? 0 : 1)
  const firstPartition = state.nextPartition.value
  const isFilled = isSame ? known.isFilled : life === 0
  const entry = { cellId, brokerId, directoryId, life, firstPartition, rack, isFilled }
  return { kind: 'broker-directory', ...entry }
}

/** Of a directory that its broker does not have any more it says nothing. */
export function planDirectoryFilled(
  state: ControllerState,
  { cellId, brokerId, directoryId }: Extract<ControllerRequest, { kind: 'directory-filled' }>,
): BrokerDirectoryEntry | null {
  const known = state.brokers.get(brokerKey(asCellId(cellId), asBrokerId(brokerId)))
  if (known?.directoryId !== directoryId || known.isFilled) return null
  return { ...known.lives.at(-1)!, isFilled: true }
}

function refuseRegistration(state: ControllerState, request: RegisterBroker): Refusal | null {
  const { cellId, brokerId, directoryId, rack } = request
  const { cells, brokersPerCell } = state.cluster.value!
  if (!isNumbered(cellId, cells) || !isNumbered(brokerId, brokersPerCell)) {
    return invalid(`There is no broker ${brokerId} in cell ${cellId}.`)
  }
  if (!/^[0-9a-f]{32}$/.test(directoryId)) {
    return invalid(`The directory id of broker ${brokerId} is not 32 lower-case hex digits.`)
  }
  if (rack !== null && (rack.length === 0 || rack.length > RACK_CHARS_MAX)) {
    return invalid(`The rack of broker ${brokerId} has not 1 to ${RACK_CHARS_MAX} characters.`)
  }
  const owner = ownerOf(state, directoryId)
  if (owner === null || (owner.cellId === cellId && owner.brokerId === brokerId)) return null
  return invalid(
    `Broker ${brokerId} has come with the directory ${directoryId}, which is that of broker ${owner.brokerId}: directories must not be copied or exchanged.`,
  )
}

/** Which broker has this directory now. */
function ownerOf(state: ControllerState, directoryId: string) {
  const { cells, brokersPerCell } = state.cluster.value!
  for (let cellId = 1; cellId <= cells; cellId++) {
    for (let brokerId = 1; brokerId <= brokersPerCell; brokerId++) {
      const known = state.brokers.get(brokerKey(asCellId(cellId), asBrokerId(brokerId)))
      if (known?.directoryId === directoryId) return { cellId, brokerId }
    }
  }
  return null
}

const isNumbered = (id: number, count: number): boolean =>
  Number.isInteger(id) && id >= 1 && id <= count

const invalid = (message: string): Refusal => refuse(ErrorCode.INVALID_REQUEST, message)
