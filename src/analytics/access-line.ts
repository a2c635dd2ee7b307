import type { CallRecord } from '#storage/calls'

const special = /["\\]|[^\x20-\x7e]/
/** Controls that JSON allows in strings, but that a terminal or a reader of lines would act on. */
const lateControls = /[\x7f-\x9f\u2028\u2029]/g

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A JSON string; most texts need no escape, and then quotes around them are all. */
const quote = (text: string): string =>
  special.test(text) ? JSON.stringify(text).replace(lateControls, escapeUnit) : `"${text}"`

let lastSecond = -1
let lastText = ''

/** ISO 8601 in UTC with milliseconds; the part up to the second is made once per second. */
const isoTime = (ms: number): string => {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastSecond = second
    lastText = new Date(second * 1000).toISOString().slice(0, 20)
  }
  return `${lastText}${String(ms - second * 1000).padStart(3, '0')}Z`
}

/** One line of JSON with the fields of a call, ended by a line feed; the fields of AI and gRPC only where they say something. */
export const accessLine = (record: CallRecord): string =>
  `{"startedAt":"${isoTime(record.startedAt)}","requestId":${quote(record.requestId)},"traceId":${quote(record.traceId)},` +
  `"service":${quote(record.service)},"route":${quote(record.route)},"consumer":${quote(record.consumer)},` +
  `"method":${quote(record.method)},"path":${quote(record.path)},"status":${record.status},` +
  `"durationMs":${record.durationMs},"upstreamMs":${record.upstreamMs},"gatewayMs":${record.gatewayMs},` +
  `"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut},"clientAddress":${quote(record.clientAddress)},` +
  `"target":${quote(record.target)},"errorCode":${quote(record.errorCode)},` +
  `"errorSource":${quote(record.errorSource)},"retries":${record.retries}${grpcField(record)}${aiFields(record)}}\n`

const grpcField = ({ grpcStatus }: CallRecord): string => (grpcStatus === null ? '' : `,"grpcStatus":${grpcStatus}`)

const aiFields = (record: CallRecord): string =>
  record.provider === '' && record.model === ''
    ? ''
    : `,"model":${quote(record.model)},"provider":${quote(record.provider)},"tokensIn":${record.tokensIn},` +
      `"tokensOut":${record.tokensOut},"tokensCached":${record.tokensCached},` +
      `"costNanoUsd":${record.costNanoUsd},"firstTokenMs":${record.firstTokenMs}`
