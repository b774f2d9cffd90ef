/** ApiVersions, and what happens to requests of versions and keys that nobody speaks. */
import { apiVersions } from '../../../src/protocol/18-api-versions.ts'
import { apis } from '../../../src/protocol/apis.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'

const software = { clientSoftwareName: 'griot', clientSoftwareVersion: '1.0' }

/** A request header alone, of a key and version that our codec might not know. */
function bareFrame(side: Side, apiKey: number, version: number, body: Buffer) {
  const correlationId = side.nextCorrelationId()
  const clientId = Buffer.from('x')
  const header = Buffer.alloc(4 + 8 + 2 + clientId.length)
  header.writeInt16BE(apiKey, 4)
  header.writeInt16BE(version, 6)
  header.writeInt32BE(correlationId, 8)
  header.writeInt16BE(clientId.length, 12)
  clientId.copy(header, 14)
  const frame = Buffer.concat([header, body])
  frame.writeInt32BE(frame.length - 4, 0)
  return { frame, correlationId }
}

export const apiVersionsScenarios: readonly Scenario[] = [
  {
    name: 'api-versions',
    async run(side) {
      for (const version of versionsOf(apiVersions)) {
        await side.ask('plain', apiVersions, version, software)
      }
      for (const version of [3, 4]) {
        const names = {
          'no software name': { clientSoftwareName: '', clientSoftwareVersion: '1.0' },
          'no software version': { clientSoftwareName: 'griot', clientSoftwareVersion: '' },
          'a bad software name': { clientSoftwareName: 'gri ot', clientSoftwareVersion: '1.0' },
          'a bad software version': { clientSoftwareName: 'griot', clientSoftwareVersion: '-1-' },
        }
        for (const [step, request] of Object.entries(names)) {
          await side.ask(step, apiVersions, version, request)
        }
        await side.ask('no client id', apiVersions, version, software, { clientId: null })
      }
    },
  },
  {
    name: 'unknown-versions',
    async run(side) {
      for (const version of [5, 99, 32_767, -1]) {
        const { frame, correlationId } = bareFrame(side, 18, version, Buffer.alloc(4))
        const options = { decodeAs: 0, on: `version ${version}` }
        await side.askFrame('unknown', apiVersions, version, frame, correlationId, options)
      }
      for (const api of apis.filter(({ key }) => key !== 18)) {
        const { min, max } = api.validVersions
        for (const version of [min - 1, max + 1].filter((one) => one >= -1)) {
          const { frame, correlationId } = bareFrame(side, api.key, version, Buffer.alloc(40))
          const options = { on: `${api.name} ${version}` }
          await side.askFrame('not spoken', api, version, frame, correlationId, options)
        }
      }
      for (const key of [-1, 4, 5, 6, 7, 999]) {
        const { frame, correlationId } = bareFrame(side, key, 0, Buffer.alloc(40))
        await side.askFrame(`key ${key}`, apiVersions, 0, frame, correlationId, {
          on: `key ${key}`,
        })
      }
    },
  },
]
