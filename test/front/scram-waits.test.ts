import { expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import { ScramClient } from '../tenant/scram-client.ts'
import { Harness } from './harness.ts'
import { type Key, login, Operator } from './tenants.ts'

test('a login by SCRAM waits after failed ones: as the user who failed before the challenge, as another only with a wrong proof', () => {
  const world = new Harness()
  const operator = new Operator(world)
  const acme = operator.tenant('acme')
  const key = operator.key(acme)
  const neighbour = operator.key(acme)
  for (let i = 0; i < 4; i++) {
    world.clock.advance(5_000)
    login(world, world.connect(), { ...key, secret: 'x' })
  }
  const mechanism = 'SCRAM-SHA-256'
  const begin = ({ key: username, secret: password }: Key) => {
    const client = world.connect()
    const scram = new ScramClient({ mechanism, username, password })
    client.send(saslHandshake, 1, { mechanism })
    const asked = client.send(saslAuthenticate, 2, { authBytes: scram.first() })
    world.run()
    return { client, scram, challenge: client.answer(saslAuthenticate, asked) }
  }
  const end = ({ client, scram, challenge }: ReturnType<typeof begin>) => {
    const authBytes = scram.final(Buffer.from(challenge!.authBytes))
    const asked = client.send(saslAuthenticate, 2, { authBytes })
    world.run()
    return () => client.answer(saslAuthenticate, asked)?.errorCode
  }
  expect(begin(key).challenge).toBeUndefined()
  expect(end(begin(neighbour))()).toBe(0)
  const told = end(begin({ ...neighbour, secret: 'x' }))
  world.clock.advance(799)
  world.run()
  expect(told()).toBeUndefined()
  world.clock.advance(1)
  world.run()
  expect(told()).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED)
})
