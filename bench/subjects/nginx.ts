import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeCertificate } from '../certificate.ts'
import { nginxPaths, nginxPreamble } from '../origin.ts'
import { end, findProgram, freePort, startOn, temporaryFolder, waitForPort } from '../programs.ts'
import { type Features, keyHeader, routePath, type Subject } from './subject.ts'

const proxyPassLines = [
  // Large answers are not written to a file on their way, since no other subject does.
  'proxy_pass http://origin; proxy_http_version 1.1; proxy_max_temp_file_size 0; proxy_set_header Connection "";',
  'proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-For $remote_addr;',
  'proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;',
].join(' ')

const grpcLines = [
  'grpc_pass grpc://origin; grpc_set_header X-Request-Id $request_id; grpc_set_header X-Forwarded-For $remote_addr;',
  'grpc_set_header X-Forwarded-Proto $scheme; grpc_set_header X-Forwarded-Host $host;',
].join(' ')

const proxyLines = (features: Features): string =>
  [
    features.key ? 'if ($consumer = "") { return 401; }' : '',
    features.limitAndLog ? 'limit_req zone=calls burst=100000 nodelay;' : '',
    features.grpc === true ? grpcLines : proxyPassLines,
    features.key ? 'proxy_set_header X-Consumer $consumer; proxy_set_header X-Api-Key "";' : '',
    'add_header X-Request-Id $request_id;',
  ].join(' ')

const tlsLines = (features: Features, folder: string): string => {
  if (features.tls !== true) return ''
  const { cert, key } = writeCertificate(folder)
  return `ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m;`
}

const configuration = (features: Features, folder: string, port: number, originPort: number): string => {
  const locations =
    features.routes === 1
      ? `location / { ${proxyLines(features)} }`
      : Array.from(
          { length: features.routes },
          (_, index) => `location ${routePath(index)} { ${proxyLines(features)} }`,
        ).join('\n')
  const log = features.limitAndLog
    ? `log_format json escape=json '{"time":"$time_iso8601","requestId":"$request_id","client":"$remote_addr","consumer":"$consumer","method":"$request_method","path":"$uri","status":$status,"duration":$request_time,"upstream":"$upstream_response_time","in":$request_length,"out":$bytes_sent,"target":"$upstream_addr"}';
access_log ${folder}/access.log json buffer=64k flush=1s;`
    : 'access_log off;'
  return `${nginxPreamble(folder)}http { keepalive_requests 100000000; ${nginxPaths(folder)} variables_hash_max_size 2048;
map $http_x_api_key $consumer { default ""; "${keyHeader.value}" bench; }
${features.limitAndLog ? 'limit_req_zone $consumer zone=calls:10m rate=1000000r/s;' : ''}
${log}
upstream origin { server 127.0.0.1:${originPort}; keepalive 128; keepalive_requests 100000000; }
server { listen 127.0.0.1:${port} ${features.http2 === true ? 'http2 ' : ''}${features.tls === true ? 'ssl ' : ''}backlog=4096; ${tlsLines(features, folder)} ${locations} } }`
}

export const nginx: Subject = {
  name: 'nginx',
  lacks: ({ routes }) =>
    routes > 10_000 ? 'it needs more than a minute to read a server of 50,000 locations (10,000: one second)' : null,
  start: async (features, originPort, core) => {
    const folder = temporaryFolder()
    const port = await freePort()
    writeFileSync(join(folder, 'nginx.conf'), configuration(features, folder, port, originPort))
    const child = startOn(core, [findProgram('nginx'), '-c', join(folder, 'nginx.conf')])
    await waitForPort(port, child)
    return { port, pid: child.pid as number, stop: () => end(child) }
  },
}
