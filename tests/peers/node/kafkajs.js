// kafkajs: producing, consuming, groups, administration. Its codecs for snappy, LZ4 and zstd are plugged in.

const { spawn } = require('node:child_process')
const zlib = require('node:zlib')
const snappy = require('snappy')
const lz4 = require('lz4-napi')
const {
  Kafka, logLevel, CompressionTypes, CompressionCodecs, PartitionAssigners, Partitioners, AssignerProtocol,
  ConfigResourceTypes
} = require('kafkajs')
const { BOOTSTRAP, check, name, pause, until, equal, refused, main } = require('./checks.js')

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: encoder => snappy.compress(encoder.buffer),
  decompress: async buffer => {
    if (!buffer.subarray(0, 8).equals(XERIAL)) return snappy.uncompress(buffer)
    const blocks = []
    for (let at = 16; at < buffer.length;) {
      const size = buffer.readUInt32BE(at)
      blocks.push(await snappy.uncompress(buffer.subarray(at + 4, at + 4 + size)))
      at += 4 + size
    }
    return Buffer.concat(blocks)
  }
})
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => zlib.zstdCompressSync(encoder.buffer),
  decompress: async buffer => zlib.zstdDecompressSync(buffer)
})

const kafka = new Kafka({ clientId: 'kafkajs-suite', brokers: [BOOTSTRAP], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } })
const strict = new Kafka({ clientId: 'kafkajs-strict', brokers: [BOOTSTRAP], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
const admin = kafka.admin()
const open = new Set()

async function topic (partitions = 1, config = {}) {
  const made = name('kafkajs')
  const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }))
  await admin.createTopics({ topics: [{ topic: made, numPartitions: partitions, configEntries }], waitForLeaders: true })
  return made
}

async function produce (target, messages, { acks = -1, compression, ...config } = {}) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...config })
  await producer.connect()
  try {
    return await producer.send({ topic: target, messages, acks, compression })
  } finally {
    await producer.disconnect()
  }
}

const numbered = (count, partition = 0) => Array.from({ length: count }, (_, n) => ({ value: `v${n}`, partition }))

async function filled (count = 10, config = {}) {
  const made = await topic(1, config)
  await produce(made, numbered(count))
  return made
}

/** A running consumer: got (messages), assigned (partitions), stop(), leave without a farewell is not its way. */
async function consume (target, { group = name('kafkajs-group'), run = {}, seek, ...config } = {}) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 6000,
    maxWaitTimeInMs: 100, metadataMaxAge: 1000, ...config })
  const state = { consumer, got: [], assigned: [], stop: async () => { open.delete(state); await consumer.disconnect() } }
  open.add(state)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { state.assigned = Object.values(payload.memberAssignment).flat() })
  await consumer.connect()
  await consumer.subscribe({ topics: [target].flat(), fromBeginning: true })
  await consumer.run({ eachMessage: async ({ partition, message }) => { state.got.push({ partition, ...message }) }, ...run })
  if (seek !== undefined) consumer.seek({ topic: target, partition: 0, offset: String(seek) })
  return state
}

async function read (target, count, options) {
  const state = await consume(target, options)
  await until(`${count} messages`, () => state.got.length >= count)
  await state.stop()
  return state.got
}

const values = messages => messages.map(message => message.value.toString())

check('compressions', async () => {
  const target = await topic()
  const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }
  const wanted = []
  for (const [codec, compression] of Object.entries(codecs)) {
    const messages = Array.from({ length: 20 }, (_, n) => ({ value: `${codec}-${n}`.repeat(30) }))
    wanted.push(...messages.map(m => m.value))
    await produce(target, messages, { compression })
  }
  equal(values(await read(target, 100)), wanted)
})

check('keys-headers-nulls-and-timestamps', async () => {
  const target = await topic()
  await produce(target, [
    { key: 'k', value: 'v', headers: { a: '1', b: ['2', '3'] }, timestamp: '1600000000123' },
    { key: 'k', value: null, timestamp: '1600000000456' },
    { value: '', timestamp: '1600000000789' }
  ])
  const got = await read(target, 3)
  equal(got.map(m => [m.key?.toString() ?? null, m.value?.toString() ?? null, m.timestamp, m.offset]),
    [['k', 'v', '1600000000123', '0'], ['k', null, '1600000000456', '1'], [null, '', '1600000000789', '2']])
  equal([got[0].headers.a.toString(), got[0].headers.b.map(String)], ['1', ['2', '3']])
})

check('keyed-records-keep-their-partition', async () => {
  const target = await topic(4)
  await produce(target, Array.from({ length: 100 }, (_, n) => ({ key: `key-${n % 10}`, value: `${n}` })))
  const places = {}
  for (const m of await read(target, 100)) (places[m.key] ??= new Set()).add(m.partition)
  equal(Object.values(places).map(set => set.size), Array(10).fill(1))
})

check('log-append-time', async () => {
  const target = await topic(1, { 'message.timestamp.type': 'LogAppendTime' })
  const before = Date.now()
  await produce(target, [{ value: 'v', timestamp: '1000' }])
  const stamp = Number((await read(target, 1))[0].timestamp)
  equal(stamp >= before - 1000 && stamp < before + 60000, true, `stamp ${stamp}`)
})

check('from-an-offset', async () => {
  const target = await filled(10)
  const state = await consume(target, { seek: 6 })
  await until('v9', () => values(state.got).includes('v9'))
  state.got.length = 0
  state.consumer.seek({ topic: target, partition: 0, offset: '3' })
  await until('7 of them', () => state.got.length >= 7)
  equal(values(state.got), ['v3', 'v4', 'v5', 'v6', 'v7', 'v8', 'v9'])
  await state.stop()
})

check('offsets-for-times-and-bounds', async () => {
  const target = await topic()
  await produce(target, Array.from({ length: 10 }, (_, n) => ({ value: `v${n}`, timestamp: `${1700000000000 + n * 1000}` })))
  equal(await admin.fetchTopicOffsets(target), [{ partition: 0, offset: '10', low: '0', high: '10' }])
  equal(await admin.fetchTopicOffsetsByTimestamp(target, 1700000004500), [{ partition: 0, offset: '5' }])
  equal(await admin.fetchTopicOffsetsByTimestamp(target, 1800000000000), [{ partition: 0, offset: '10' }])
})

check('commit-and-resume', async () => {
  const target = await filled(10)
  const group = name('kafkajs-group')
  const first = await consume(target, { group, run: { autoCommit: false } })
  await until('10', () => first.got.length >= 10)
  await first.consumer.commitOffsets([{ topic: target, partition: 0, offset: '4', metadata: 'note' }])
  await first.stop()
  const stored = await admin.fetchOffsets({ groupId: group, topics: [target] })
  equal(stored[0].partitions, [{ partition: 0, offset: '4', metadata: 'note' }])
  equal(values(await read(target, 6, { group, run: { autoCommit: false } })), ['v4', 'v5', 'v6', 'v7', 'v8', 'v9'])
})

check('automatic-commit', async () => {
  const target = await filled(10)
  const group = name('kafkajs-group')
  await read(target, 10, { group })
  await until('committed', async () => (await admin.fetchOffsets({ groupId: group, topics: [target] }))[0].partitions[0].offset === '10')
})

check('group-of-three', async () => {
  const target = await topic(6)
  const group = name('kafkajs-group')
  const members = []
  for (let n = 0; n < 3; n++) members.push(await consume(target, { group, partitionAssigners: [PartitionAssigners.roundRobin] }))
  await until('2, 2, 2', () => members.every(m => m.assigned.length === 2))
  await produce(target, Array.from({ length: 60 }, (_, n) => ({ value: `${n}`, partition: n % 6 })))
  await until('60', () => new Set(members.flatMap(m => values(m.got))).size === 60)
  await members.pop().stop()
  await until('3, 3', () => members.every(m => m.assigned.length === 3))
  for (const member of members) await member.stop()
  await until('empty', async () => (await admin.describeGroups([group])).groups[0].state === 'Empty')
})

check('a-crashed-member-is-replaced', async () => {
  const target = await topic(4)
  const group = name('kafkajs-group')
  const child = spawn(process.execPath, [__filename, '--member', target, group], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  child.stdout.on('data', text => { said += text })
  await until('the child has all four', () => said.includes('assigned 4'))
  const state = await consume(target, { group })
  await until('two', () => state.assigned.length === 2)
  child.kill('SIGKILL')
  const begun = Date.now()
  await until('all four', () => state.assigned.length === 4)
  equal(Date.now() - begun > 2000, true, 'the session had to time out')
  await state.stop()
})

check('describe-and-list-groups', async () => {
  const target = await filled(3)
  const group = name('kafkajs-group')
  const state = await consume(target, { group })
  await until('3', () => state.got.length === 3)
  const described = (await admin.describeGroups([group])).groups[0]
  equal([described.errorCode, described.state, described.protocolType, described.protocol, described.members.length],
    [0, 'Stable', 'consumer', 'RoundRobinAssigner', 1])
  equal(described.members[0].clientId, 'kafkajs-suite')
  equal(AssignerProtocol.MemberAssignment.decode(described.members[0].memberAssignment).assignment, { [target]: [0] })
  equal((await admin.listGroups()).groups.filter(g => g.groupId === group), [{ groupId: group, protocolType: 'consumer' }])
  const error = await refused(admin.deleteGroups([group]))
  equal(error.groups[0].error.type, 'NON_EMPTY_GROUP')
  await state.stop()
  await admin.deleteGroups([group])
  equal((await admin.listGroups()).groups.some(g => g.groupId === group), false)
})

check('set-and-reset-offsets', async () => {
  const target = await filled(10)
  const group = name('kafkajs-group')
  await admin.setOffsets({ groupId: group, topic: target, partitions: [{ partition: 0, offset: '7' }] })
  equal(values(await read(target, 3, { group })), ['v7', 'v8', 'v9'])
  await admin.resetOffsets({ groupId: group, topic: target, earliest: true })
  equal(values(await read(target, 10, { group })).length, 10)
})

check('topics-come-grow-and-go', async () => {
  const made = await topic(2)
  equal(await admin.createTopics({ topics: [{ topic: made }] }), false)
  const wrong = await refused(admin.createTopics({ topics: [{ topic: name('x'), numPartitions: 1, replicationFactor: 3 }] }))
  equal(wrong.errors?.[0]?.type ?? wrong.type, 'INVALID_REPLICATION_FACTOR')
  equal(await admin.createTopics({ validateOnly: true, waitForLeaders: false, topics: [{ topic: name('x') }] }), true)
  await admin.createPartitions({ topicPartitions: [{ topic: made, count: 5 }] })
  await until('five', async () => (await admin.fetchTopicMetadata({ topics: [made] })).topics[0].partitions.length === 5)
  equal((await admin.listTopics()).includes(made), true)
  await admin.deleteTopics({ topics: [made] })
  await until('gone', async () => !(await admin.listTopics()).includes(made))
})

check('configs', async () => {
  const made = await topic(1, { 'retention.ms': '123456' })
  const ask = async key => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configNames: [key] }] })
    return resources[0].configEntries[0]
  }
  const set = await ask('retention.ms')
  equal([set.configName, set.configValue, set.isDefault], ['retention.ms', '123456', false])
  equal((await ask('segment.bytes')).configValue, '1073741824')
  await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configEntries: [{ name: 'retention.ms', value: '777' }] }] })
  await until('changed', async () => (await ask('retention.ms')).configValue === '777')
  const error = await refused(admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configEntries: [{ name: 'retention.ms', value: 'soon' }] }] }))
  equal(error.type, 'INVALID_CONFIG')
})

check('cluster', async () => {
  const cluster = await admin.describeCluster()
  equal([cluster.brokers.length >= 1, cluster.controller === cluster.brokers[0].nodeId, !!cluster.clusterId], [true, true, true])
})

check('delete-records', async () => {
  const target = await filled(10)
  // The client looks for the leader only among topics that it already knows; this makes it known.
  await admin.fetchTopicOffsets(target)
  await admin.deleteTopicRecords({ topic: target, partitions: [{ partition: 0, offset: '6' }] })
  equal((await admin.fetchTopicOffsets(target))[0].low, '6')
  equal(values(await read(target, 4)), ['v6', 'v7', 'v8', 'v9'])
})

check('idempotent-producer', async () => {
  const target = await topic()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 5, createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  for (let n = 0; n < 100; n++) await producer.send({ topic: target, messages: [{ value: `${n}` }] })
  await producer.disconnect()
  equal(values(await read(target, 100)), Array.from({ length: 100 }, (_, n) => `${n}`))
})

check('acks', async () => {
  const target = await topic()
  for (const acks of [0, 1, -1]) await produce(target, [{ value: `acks${acks}` }], { acks })
  equal(values(await read(target, 3)).sort(), ['acks-1', 'acks0', 'acks1'])
})

check('large-messages', async () => {
  const target = await topic(1, { 'max.message.bytes': '3000000' })
  const big = Buffer.alloc(2_500_000, 'abc')
  await produce(target, [{ value: big }])
  equal((await read(target, 1))[0].value.equals(big), true)
  const small = await topic(1, { 'max.message.bytes': '1000' })
  equal((await refused(produce(small, [{ value: 'x'.repeat(2000) }]))).type, 'MESSAGE_TOO_LARGE')
  await produce(small, [{ value: 'x' }])
})

check('automatic-and-unknown-topics', async () => {
  const target = name('kafkajs-auto')
  await produce(target, [{ value: 'v' }])
  equal(values(await read(target, 1)), ['v'])
  const producer = strict.producer({ allowAutoTopicCreation: false, createPartitioner: Partitioners.DefaultPartitioner, retry: { retries: 0 } })
  await producer.connect()
  const error = await refused(producer.send({ topic: name('nowhere'), messages: [{ value: 'v' }] }))
  equal(error.type ?? error.cause?.type, 'UNKNOWN_TOPIC_OR_PARTITION')
  await producer.disconnect()
})

check('pause-and-resume', async () => {
  const target = await filled(1)
  const state = await consume(target)
  await until('1', () => state.got.length === 1)
  state.consumer.pause([{ topic: target }])
  await produce(target, [{ value: 'late' }])
  await pause(400)
  equal(state.got.length, 1)
  state.consumer.resume([{ topic: target }])
  await until('2', () => state.got.length === 2)
  await state.stop()
})

async function member (target, group) {
  const state = await consume(target, { group })
  await until('an assignment', () => state.assigned.length > 0, 60)
  console.log('assigned', state.assigned.length)
}

if (process.argv[2] === '--member') {
  member(process.argv[3], process.argv[4])
} else {
  admin.connect().then(() => main(async () => {
    for (const state of open) await state.stop().catch(() => {})
    await admin.disconnect()
  }), error => {
    console.log(`FAIL connect: ${error.message}`)
    process.exit(1)
  })
}
