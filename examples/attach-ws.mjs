// Attach this terminal to a container's shell through a WebSocket:
//   ctr run -dit --name box busybox && node examples/attach-ws.mjs box
import WebSocket from 'ws'

const [container, socket = '/var/run/ctr.sock'] = process.argv.slice(2)
const path = `/containers/${container}/attach/ws?stream=1&stdin=1&stdout=1&stderr=1`
const shell = new WebSocket(`ws+unix://${socket}:${path}`)
shell.on('open', () => {
  process.stdin.setRawMode?.(true)
  process.stdin.on('data', (bytes) => shell.send(bytes))
  shell.send('\n') // the shell shows its prompt again
})
shell.on('message', (bytes) => process.stdout.write(bytes))
shell.on('error', (error) => process.stderr.write(`${error.message}\n`))
shell.on('close', (code) => process.exit(code === 1000 ? 0 : 1))
