import type { Command } from '../command.ts'
import { defaultAddress } from '../config/daemon-host.ts'
import { DEFAULT_CONTEXT } from '../context/current.ts'
import { ContextStore } from '../context/store.ts'
import { INSPECT_FORMAT_FLAG, inspectEach } from '../format/inspect.ts'
import { escapeHtml } from '../format/list.ts'
import { errorText } from '../report-error.ts'

export const command: Command = {
  usage: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  summary: 'Display detailed information on one or more contexts',
  flags: [INSPECT_FORMAT_FLAG],
  args: { min: 0 },
  examples: [
    {
      text: 'Where a context leads',
      command: "ctr context inspect -f '{{.Endpoints.docker.Host}}' work",
    },
  ],
  async run({ contextName, globals, environment, configDirectory }, { flags, args }) {
    const store = new ContextStore(configDirectory)
    const names = args.length > 0 ? args : [contextName]
    await inspectEach(
      names,
      flags.string('format'),
      async (name) =>
        escapeHtml(
          JSON.stringify(
            name === DEFAULT_CONTEXT
              ? document(name, defaultAddress(globals, environment))
              : storedDocument(store, name),
          ),
        ),
      errorText,
    )
  },
}

function document(name: string, address: string): unknown {
  const place = '<IN MEMORY>'
  return {
    Name: name,
    Metadata: {},
    Endpoints: { docker: { Host: address, SkipTLSVerify: false } },
    TLSMaterial: {},
    Storage: { MetadataPath: place, TLSPath: place },
  }
}

function storedDocument(store: ContextStore, name: string): unknown {
  const { Name, Metadata, Endpoints } = store.get(name)
  const files = Object.keys(store.tls(name))
  return {
    Name,
    Metadata,
    Endpoints,
    TLSMaterial: files.length === 0 ? {} : { docker: files },
    Storage: { MetadataPath: store.metadataPath(name), TLSPath: store.tlsPath(name) },
  }
}
