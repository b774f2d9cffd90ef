// What an embedded engine must hold up to in a test framework, whichever it is. Written without imports, since it is run as a
// CommonJS module and as an ES module: what it needs is handed in.

/**
 * `fake()` makes timers fake and sets the clock to 2001, `real()` undoes it; `print` reaches the runner's output.
 * Returns tests by name.
 */
export function checks({ Griot, Kafka, assert, node, fake, real, print }) {
  const start = async (options) => {
    const griot = await Griot.start(options)
    print(`DATA_DIR ${griot.dataDir}`)
    return griot
  }

  const close = async (griot) => {
    await griot.close()
    assert.equal(node.existsSync(griot.dataDir), false)
  }

  const clientOf = (griot) => new Kafka({ brokers: griot.brokers, logLevel: 1 })

  const produce = async (griot, values) => {
    const producer = clientOf(griot).producer()
    await producer.connect()
    const messages = values.map((value) => ({ value, partition: 0 }))
    const [{ baseOffset }] = await producer.send({ topic: 'checked', messages })
    await producer.disconnect()
    return Number(baseOffset)
  }

  // by partition, with kafkajs's own parts
  const fetchValues = async (griot, count) => {
    const kafka = clientOf(griot)
    const createCluster = Object.getOwnPropertySymbols(kafka).find((symbol) =>
      symbol.description.includes('createCluster'),
    )
    const cluster = kafka[createCluster]({ allowAutoTopicCreation: false })
    await cluster.connect()
    await cluster.addTargetTopic('checked')
    const broker = await cluster.findBroker({ nodeId: '1' })
    const values = []
    while (values.length < count) {
      const partitions = [{ partition: 0, fetchOffset: String(values.length), maxBytes: 1 << 20 }]
      const topics = [{ topic: 'checked', partitions }]
      const limits = { maxWaitTime: 500, minBytes: 1, maxBytes: 1 << 20 }
      const { responses } = await broker.fetch({ ...limits, topics })
      values.push(...responses[0].partitions[0].messages.map(({ value }) => value))
    }
    await cluster.disconnect()
    return values
  }

  // an ApiVersions request, on a socket: no client library with timers of its own
  const isServed = (griot) =>
    new Promise((resolve, reject) => {
      const [host, port] = griot.brokers[0].split(':')
      const socket = node.connect(Number(port), host)
      socket.once('error', reject)
      socket.once('data', (answer) => {
        socket.destroy()
        resolve(answer.readInt32BE(4) === 7)
      })
      socket.write(node.hex('0000000a0012000000000007ffff'))
    })

  const health = (griot) =>
    new Promise((resolve, reject) => {
      const request = node.get(`${griot.url}/health`, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve(JSON.parse(text)))
      })
      request.once('error', reject)
    })

  return {
    'what comes back is what was sent': async () => {
      const griot = await start()
      const sent = Array.from({ length: 50 }, (_, i) => `value ${i} ${'x'.repeat(i * 100)}`)
      assert.equal(await produce(griot, sent), 0)
      const values = await fetchValues(griot, sent.length)
      assert.deepEqual(values.map(String), sent)
      await close(griot)
    },

    'fake timers from before the start until after the end': async () => {
      fake()
      try {
        const griot = await start({ httpListen: '127.0.0.1:0' })
        assert.equal(await isServed(griot), true)
        const { status, uptimeMs } = await health(griot)
        assert.equal(status, 'serving')
        assert.ok(uptimeMs > 0 && uptimeMs < 60_000, `uptime ${uptimeMs}`)
        await close(griot)
      } finally {
        real()
      }
    },

    'fake timers while it runs': async () => {
      const griot = await start()
      await produce(griot, ['before'])
      fake()
      try {
        assert.equal(await isServed(griot), true)
      } finally {
        real()
      }
      assert.equal(await produce(griot, ['after']), 1)
      fake()
      try {
        await close(griot)
      } finally {
        real()
      }
    },

    'several at once, each with its own': async () => {
      const griots = await Promise.all([start(), start({ brokers: 2 }), start()])
      assert.equal(new Set(griots.flatMap(({ brokers }) => brokers)).size, 4)
      await Promise.all(griots.map((griot, i) => produce(griot, [`of ${i}`])))
      const values = await Promise.all(griots.map((griot) => fetchValues(griot, 1)))
      assert.deepEqual(values.flat().map(String), ['of 0', 'of 1', 'of 2'])
      await Promise.all(griots.map(close))
    },

    'errors are errors here': async () => {
      const refused = await Griot.start({ broker: 2 }).then(
        () => null,
        (error) => error,
      )
      assert.ok(refused instanceof Error)
      assert.match(refused.message, /unknown option broker \(did you mean brokers\?\)/)
    },

    'a log line reaches standard error': async () => {
      const griot = await start({ logLevel: 'info' })
      await close(griot)
    },

    'ends with its scope': async () => {
      const griot = await start()
      const end = griot[Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')]
      await end.call(griot)
      assert.equal(node.existsSync(griot.dataDir), false)
    },
  }
}
