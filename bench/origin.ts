import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram, freePort, startOn, temporaryFolder, waitForPort } from './programs.ts'

/** What every nginx of a benchmark begins with: one worker, no daemon, all files in its own folder. */
export const nginxPreamble = (folder: string): string => `worker_processes 1; daemon off; master_process off;
pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 8192; }
`

export const nginxPaths = (folder: string): string =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join(' ')

/** nginx as origin: a small fixed answer everywhere, and files of known sizes under /files. */
export const startOrigin = async (core: number): Promise<number> => {
  const folder = temporaryFolder()
  const port = await freePort()
  mkdirSync(join(folder, 'files'))
  for (const [name, size] of [
    ['1k', 1024],
    ['100k', 102_400],
    ['10m', 10_485_760],
  ] as const)
    writeFileSync(join(folder, 'files', name), randomBytes(size))
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${nginxPreamble(folder)}http { access_log off; keepalive_requests 100000000; sendfile on; ${nginxPaths(folder)}
server { listen 127.0.0.1:${port} backlog=4096; default_type text/plain;
  location / { return 200 "${'x'.repeat(128)}"; }
  location /files/ { root ${folder}; }
} }`,
  )
  const child = startOn(core, [findProgram('nginx'), '-c', join(folder, 'nginx.conf')])
  await waitForPort(port, child)
  return port
}
