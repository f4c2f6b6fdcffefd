// kafkajs over two restarts of the broker. Its sends wait for their answers, and a resend may double a record.

const { exec } = require('node:child_process')
const { promisify } = require('node:util')
const { Kafka, logLevel, Partitioners } = require('kafkajs')
const { BOOTSTRAP, name, pause, until } = require('../node/checks.js')

const COUNT = 600
const topic = name('restart')
const group = name('restart-group')
const kafka = new Kafka({ brokers: [BOOTSTRAP], logLevel: logLevel.NOTHING, connectionTimeout: 1000,
  retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 200 } })

async function bounce (how) {
  await promisify(exec)(process.env[how])
  await pause(300)
  await promisify(exec)(process.env.BROKER_START)
}

async function consumer (groupId, each) {
  const made = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 100 })
  await made.connect()
  await made.subscribe({ topics: [topic], fromBeginning: true })
  await made.run({ autoCommitThreshold: 20, autoCommitInterval: 500, eachMessage: async ({ message }) => each(Number(message.value)) })
  return made
}

async function main () {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic }], waitForLeaders: true, timeout: 20000 })
  const consumed = []
  const goesOn = await consumer(group, n => consumed.push(n))
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const sends = []
  const bounces = []
  let acknowledged = 0
  for (let n = 0; n < COUNT; n++) {
    if (n === COUNT / 3) bounces.push(bounce('BROKER_KILL'))
    if (n === 2 * COUNT / 3) bounces.push((async () => { await bounces[0]; await bounce('BROKER_STOP') })())
    sends.push(producer.send({ topic, acks: -1, messages: [{ value: String(n) }] }).then(() => { acknowledged++ }, () => {}))
    await pause(4)
  }
  await Promise.all([...sends, ...bounces])
  let failed = false
  const line = async (title, body) => {
    try {
      await body()
      console.log(`ok ${title}`)
    } catch (error) {
      failed = true
      console.log(`FAIL ${title}: ${error.message}`)
    }
  }
  await line('all-acknowledged', async () => { if (acknowledged !== COUNT) throw new Error(`${acknowledged} of ${COUNT}`) })
  await line('the-consumer-goes-on', () => until(`all consumed, now ${new Set(consumed).size}`, () => new Set(consumed).size === COUNT, 40))
  await line('the-commit-is-kept', () => until('committed', async () => {
    const end = (await admin.fetchTopicOffsets(topic))[0].offset
    return (await admin.fetchOffsets({ groupId: group, topics: [topic] }))[0].partitions[0].offset === end
  }))
  await line('the-log-has-each', async () => {
    const log = new Set()
    const again = await consumer(name('restart-group'), n => log.add(n))
    await until('each', () => log.size === COUNT)
    await again.disconnect()
  })
  await Promise.all([goesOn.disconnect(), producer.disconnect(), admin.disconnect()])
  process.exit(failed ? 1 : 0)
}

main().catch(error => {
  console.log(`FAIL restart: ${error.message}`)
  process.exit(1)
})
