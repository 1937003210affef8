import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Template } from '@ctr/template'
import { addZeroValues } from './zero-values.ts'

const CONTAINER = {
  Config: { Cmd: null, Volumes: null, Labels: { a: 'b' } },
  HostConfig: { CapAdd: null },
  State: { Status: 'exited' },
  Mounts: [{ Type: 'bind', Source: '/a' }],
  NetworkSettings: { Networks: { bridge: { Aliases: null } } },
}

function shown(text: string, document: object): string {
  const copy: unknown = structuredClone(document)
  addZeroValues(copy)
  return new Template(text).execute(copy)
}

describe('zero values', () => {
  it("are those of Go's types", () => {
    assert.equal(
      shown(
        '{{len .Config.ExposedPorts}} {{.Config.Cmd}} {{.Config.Volumes}} {{.Config.Labels}} {{.HostConfig.CapAdd}} {{.HostConfig.Tmpfs}} {{.State.Health}} {{.Config.StopSignal}}| {{.Config.NetworkDisabled}} {{.SizeRw}}',
        CONTAINER,
      ),
      '0 [] map[] map[a:b] [] map[] <nil> | false <nil>',
    )
    assert.equal(
      shown(
        '{{(index .Mounts 0).Name}}|{{.NetworkSettings.Networks.bridge.Aliases}} {{.NetworkSettings.Networks.bridge.GwPriority}}',
        CONTAINER,
      ),
      '|[] 0',
    )
  })

  it('maps are printed as maps, and sets with empty structs', () => {
    const config = { Labels: { Foo: 'bar' }, ExposedPorts: { '80/tcp': {} } }
    assert.equal(
      shown('{{.Config.Labels}} {{.Config.ExposedPorts}}', { RootFS: {}, Config: config }),
      'map[Foo:bar] map[80/tcp:{}]',
    )
  })

  it('the data of the driver of layers is a map', () => {
    const document = { RootFS: {}, GraphDriver: { Name: 'overlay2', Data: { UpperDir: '/x' } } }
    assert.equal(shown('{{.GraphDriver.Data}}', document), 'map[UpperDir:/x]')
  })

  it('are not seen by json', () => {
    assert.equal(shown('{{json .}}', CONTAINER), JSON.stringify(CONTAINER))
  })

  it('are those of images, volumes and networks, too', () => {
    assert.equal(shown('{{.Variant}}|{{.RepoTags}}', { RootFS: {}, Config: {} }), '|[]')
    assert.equal(
      shown('{{.Options}} {{.UsageData}}', { Mountpoint: '/x', Options: null }),
      'map[] <nil>',
    )
    assert.equal(shown('{{.IPAM.Options}} {{.Peers}}', { IPAM: { Options: null } }), 'map[] []')
  })

  it('leave another field an error', () => {
    assert.throws(() => shown('{{.Nope}}', CONTAINER), /map has no entry for key "Nope"/)
  })
})
