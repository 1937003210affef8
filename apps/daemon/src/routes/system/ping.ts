import { PlainText } from '../../http/plain-text.ts'
import { type Call, route } from '../../http/route.ts'

export const pingRoute = route({
  method: 'GET',
  path: '/_ping',
  summary: 'Is the daemon there; the headers say what it speaks',
  status: 200,
  handle: async (_context, { setHeader }) => {
    setPingHeaders(setHeader)
    return new PlainText('OK')
  },
})

export const headPingRoute = route({
  method: 'HEAD',
  path: '/_ping',
  summary: 'As GET, headers only',
  status: 200,
  handle: async (_context, { setHeader }) => {
    setPingHeaders(setHeader)
    return new PlainText('')
  },
})

/** `Builder-Version: 1` is the classic builder: clients do not open BuildKit sessions. */
function setPingHeaders(setHeader: Call['setHeader']): void {
  setHeader('Builder-Version', '1')
  setHeader('Swarm', 'inactive')
  setHeader('Cache-Control', 'no-cache, no-store, must-revalidate')
  setHeader('Pragma', 'no-cache')
}
