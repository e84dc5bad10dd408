import { startOurs, startVersityGW } from './peers.mjs'
import { must } from './sign.mjs'
import { report } from './table.mjs'

const PART_BYTES = 32 * 1024 * 1024
const PARTS = 16

/** CompleteMultipartUpload of 16 parts of 32 MiB, in ms (a ratio below 1 is better than the peer). */
export async function complete({ scratch, rounds }) {
  const slots = { name: 'ours, slots', posixFlags: ['--multipart-layout', 'slots'] }
  const gateways = [await startOurs(`${scratch}/ours`), await startOurs(`${scratch}/slots`, slots)]
  if (process.env.VERSITYGW) gateways.push(await startVersityGW(`${scratch}/versitygw`))
  const body = Buffer.alloc(PART_BYTES, 'versitygw-ts')
  for (const { endpoint } of gateways) await must(endpoint, 'PUT', '/bench')
  const times = []
  for (let round = 0; round < rounds; round++) {
    const took = {}
    for (const { name, endpoint } of gateways) took[name] = await once(endpoint, body)
    times.push(took)
  }
  report(`CompleteMultipartUpload, ${PARTS} x 32 MiB`, 'ms', times, 'versitygw')
  for (const gateway of gateways) await gateway.stop()
}

async function once(endpoint, body) {
  const created = await must(endpoint, 'POST', '/bench/big?uploads')
  const [, uploadId] = /<UploadId>([^<]+)</.exec(created.body.toString()) ?? []
  const parts = []
  for (let number = 1; number <= PARTS; number++) {
    const { headers } = await must(
      endpoint,
      'PUT',
      `/bench/big?partNumber=${number}&uploadId=${uploadId}`,
      { body },
    )
    parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>${headers.etag}</ETag></Part>`)
  }
  const document = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
  const started = performance.now()
  await must(endpoint, 'POST', `/bench/big?uploadId=${uploadId}`, { body: document })
  const took = performance.now() - started
  await must(endpoint, 'DELETE', '/bench/big')
  return took
}
