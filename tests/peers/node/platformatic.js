// @platformatic/kafka: a young client in pure JavaScript that asks for the newest versions of everything.

const { Admin, Consumer, Producer, stringSerializers, stringDeserializers } = require('@platformatic/kafka')
const { BOOTSTRAP, check, name, until, equal, refused, main } = require('./checks.js')

const base = { clientId: 'platformatic-suite', bootstrapBrokers: [BOOTSTRAP], retries: 5, retryDelay: 100 }
const admin = new Admin(base)
const open = new Set()

async function topic (partitions = 1, config = {}) {
  const made = name('platformatic')
  const configs = Object.entries(config).map(([key, value]) => ({ name: key, value }))
  await admin.createTopics({ topics: [made], partitions, replicas: 1, configs })
  return made
}

async function produce (target, messages, options = {}) {
  const producer = new Producer({ ...base, serializers: stringSerializers })
  try {
    return await producer.send({ messages: messages.map(m => ({ topic: target, ...m })), acks: -1, ...options })
  } finally {
    await producer.close()
  }
}

const numbered = (count, partitions = 1) => Array.from({ length: count }, (_, n) => ({ value: `v${n}`, partition: n % partitions }))

async function filled (count = 10) {
  const made = await topic()
  await produce(made, numbered(count))
  return made
}

/** A consumer with its stream: got collects what it reads. */
async function consume (target, { group = name('platformatic-group'), mode = 'earliest', stream = {}, ...options } = {}) {
  const consumer = new Consumer({ ...base, groupId: group, deserializers: stringDeserializers, sessionTimeout: 6000, heartbeatInterval: 300,
    rebalanceTimeout: 6000, maxWaitTime: 100, autocommit: false, ...options })
  const state = { consumer, got: [], group }
  const messages = await consumer.consume({ topics: [target], mode, fallbackMode: 'earliest', ...stream })
  messages.on('data', message => state.got.push(message))
  messages.on('error', error => { state.error = error })
  state.stop = async () => { open.delete(state); await messages.close(); await consumer.close() }
  state.crash = async () => { open.delete(state); await consumer.close(true) }
  state.share = () => (consumer.assignments ?? []).flatMap(a => a.partitions).length
  open.add(state)
  return state
}

async function read (target, count, options) {
  const state = await consume(target, options)
  await until(`${count} messages`, () => { if (state.error) throw state.error; return state.got.length >= count })
  await state.stop()
  return state.got
}

const values = messages => messages.map(m => m.value)
/** Kafka's name of what went wrong, however deep the client wrapped it. */
const code = error => error.apiId ?? [error.cause, ...(error.errors ?? [])].filter(Boolean).map(code).find(Boolean)

check('compressions', async () => {
  const target = await topic()
  const wanted = []
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const messages = Array.from({ length: 20 }, (_, n) => ({ value: `${compression}-${n}`.repeat(30) }))
    wanted.push(...values(messages))
    await produce(target, messages, { compression })
  }
  equal(values(await read(target, 100)), wanted)
})

check('keys-headers-and-timestamps', async () => {
  const target = await topic()
  await produce(target, [{ key: 'k', value: 'v', headers: new Map([['a', '1'], ['b', '2']]), timestamp: 1600000000123n }])
  const [got] = await read(target, 1)
  equal([got.key, got.value, [...got.headers], got.timestamp, got.offset], ['k', 'v', [['a', '1'], ['b', '2']], 1600000000123n, 0n])
})

check('offsets-and-times', async () => {
  const target = await topic()
  await produce(target, numbered(10).map((m, n) => ({ ...m, timestamp: BigInt(1700000000000 + n * 1000) })))
  equal(values(await read(target, 4, { mode: 'manual', stream: { offsets: [{ topic: target, partition: 0, offset: 6n }] } })), ['v6', 'v7', 'v8', 'v9'])
  const asking = new Consumer({ ...base, groupId: name('platformatic-group') })
  equal((await asking.listOffsets({ topics: [target] })).get(target), [10n])
  equal((await asking.listOffsets({ topics: [target], timestamp: -2n })).get(target), [0n])
  const found = (await asking.listOffsetsWithTimestamps({ topics: [target], timestamp: 1700000004500n })).get(target).get(0)
  equal([found.offset, found.timestamp], [5n, 1700000005000n])
  await asking.close()
})

check('commit-resume-and-lag', async () => {
  const target = await filled(10)
  const group = name('platformatic-group')
  const first = await consume(target, { group })
  await until('10', () => first.got.length >= 10)
  await first.consumer.commit({ offsets: [{ topic: target, partition: 0, offset: 4n, leaderEpoch: 0 }] })
  equal((await first.consumer.listCommittedOffsets({ topics: [{ topic: target, partitions: [0] }] })).get(target), [4n])
  await first.stop()
  equal(values(await read(target, 6, { group, mode: 'committed' })), ['v4', 'v5', 'v6', 'v7', 'v8', 'v9'])
  const [stored] = await admin.listConsumerGroupOffsets({ groups: [group] })
  equal(stored.topics[0].partitions[0].committedOffset, 4n)
})

check('group-of-three', async () => {
  const target = await topic(6)
  const group = name('platformatic-group')
  const members = []
  for (let n = 0; n < 3; n++) members.push(await consume(target, { group }))
  await until('2, 2, 2', () => members.every(m => m.share() === 2))
  await produce(target, numbered(60, 6))
  await until('60', () => new Set(members.flatMap(m => values(m.got))).size === 60)
  await members.pop().stop()
  await until('3, 3', () => members.every(m => m.share() === 3))
  const described = (await admin.describeGroups({ groups: [group] })).get(group)
  equal([described.state, described.members.size], ['Stable', 2])
  for (const member of members) await member.stop()
  equal((await admin.listGroups()).get(group).state, 'Empty')
  await admin.deleteGroups({ groups: [group] })
  equal((await admin.listGroups()).has(group), false)
})

check('idempotent-producer', async () => {
  const target = await topic()
  const producer = new Producer({ ...base, idempotent: true, serializers: stringSerializers })
  for (let n = 0; n < 50; n++) await producer.send({ messages: [{ topic: target, value: `v${n}`, partition: 0 }] })
  await producer.close()
  equal(values(await read(target, 50)), values(numbered(50)))
})

check('acks', async () => {
  const target = await topic()
  for (const acks of [0, 1, -1]) await produce(target, [{ value: `acks${acks}`, partition: 0 }], { acks })
  equal(values(await read(target, 3)).sort(), ['acks-1', 'acks0', 'acks1'])
})

check('topics-configs-and-records', async () => {
  const made = await topic(2, { 'retention.ms': '123456' })
  const ask = async key => {
    const [found] = await admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: made, configurationKeys: [key] }] })
    return found.configs[0].value
  }
  equal(await ask('retention.ms'), '123456')
  await admin.incrementalAlterConfigs({ resources: [{ resourceType: 2, resourceName: made, configs: [{ name: 'retention.ms', configOperation: 0, value: '777' }] }] })
  await until('changed', async () => await ask('retention.ms') === '777')
  const node = [...(await admin.metadata({ topics: [made] })).brokers.keys()][0]
  await admin.createPartitions({ topics: [{ name: made, count: 5, assignments: Array(3).fill({ brokerIds: [node] }) }] })
  await until('five', async () => (await admin.metadata({ topics: [made], forceUpdate: true })).topics.get(made).partitionsCount === 5)
  await produce(made, [{ value: 'a', partition: 0 }, { value: 'b', partition: 0 }])
  const [deleted] = await admin.deleteRecords({ topics: [{ name: made, partitions: [{ partition: 0, offset: 1n }] }] })
  equal(deleted.partitions[0].lowWatermark, 1n)
  equal((await admin.listTopics()).includes(made), true)
  await admin.deleteTopics({ topics: [made] })
  await until('gone', async () => !(await admin.listTopics()).includes(made))
  equal(code(await refused(admin.deleteTopics({ topics: [made] }))), 'UNKNOWN_TOPIC_OR_PARTITION')
})

check('log-dirs', async () => {
  const target = await filled(5)
  const [dirs] = await admin.describeLogDirs({ topics: [{ name: target, partitions: [0] }] })
  equal(dirs.results[0].topics[0].partitions[0].partitionSize > 60n, true)
})

main(async () => {
  for (const state of open) await state.crash().catch(() => {})
  await admin.close()
})
