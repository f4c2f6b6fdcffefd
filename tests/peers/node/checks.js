// What the Node suites share: named checks, deadlines, unique names. It must not know any client.

const { randomBytes } = require('node:crypto')
const assert = require('node:assert/strict')

const BOOTSTRAP = process.env.BOOTSTRAP_SERVERS ?? '127.0.0.1:9092'
const RUN = randomBytes(4).toString('hex')
const checks = []

const check = (name, body) => checks.push({ name, body })

const name = stem => `${stem}-${RUN}-${randomBytes(3).toString('hex')}`

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Waits until condition(), plain or a promise, is true, and returns its value. */
async function until (what, condition, seconds = 25) {
  const deadline = Date.now() + seconds * 1000
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`)
    await pause(30)
  }
}

const equal = (got, wanted, what) => {
  try {
    assert.deepEqual(got, wanted)
  } catch {
    const show = value => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))?.slice(0, 300)
    throw new Error(`${what ? what + ': ' : ''}got ${show(got)}, wanted ${show(wanted)}`)
  }
}

/** The error that the promise must end with. */
async function refused (promise) {
  let value
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`no refusal, but ${JSON.stringify(value)}`)
}

function withDeadline (promise, seconds) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${seconds} s`)), seconds * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

async function main (finish = async () => {}) {
  const wanted = process.argv[2] ?? ''
  let failed = false
  for (const { name: title, body } of checks.filter(c => c.name.includes(wanted))) {
    const begun = Date.now()
    let line = `ok ${title}`
    try {
      await withDeadline(body(), 45)
    } catch (error) {
      failed = true
      line = `FAIL ${title}: ${error.name}: ${String(error.message).replaceAll('\n', ' ').slice(0, 400)}`
    }
    console.log((process.env.PEERS_TIMES ? `# ${((Date.now() - begun) / 1000).toFixed(1)}s ` : '') + line)
  }
  await finish()
  process.exit(failed ? 1 : 0)
}

module.exports = { BOOTSTRAP, check, name, pause, until, equal, refused, main }
