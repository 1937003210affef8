import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EMPTY_STRUCT, markAsMap, NIL_MAP, NIL_SLICE } from './nil-values.ts'
import { Template } from './template.ts'

const DATA = {
  Name: '/web',
  Id: 'abc',
  Count: 3,
  Zero: 0,
  Empty: '',
  Yes: true,
  Nothing: null,
  List: ['a', 'b', 'c'],
  Numbers: [1, 2, 3],
  NoList: [],
  Labels: { 'a.b': 'x', c: 'y' },
  State: { Status: 'running', Pid: 42, Nested: { Deep: 'd' } },
  Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '443/tcp': null },
  Method: (name: unknown) => `<${String(name)}>`,
}

/** template → output; what Go's text/template prints with the same data. */
const CASES: readonly (readonly [string, string])[] = [
  ['plain text', 'plain text'],
  ['{{define "x"}}<{{.}}>{{end}}{{template "x" .Id}}{{template "x" .Count}}', '<abc><3>'],
  ['{{range .List}}{{template "item" .}}{{end}}{{define "item"}}[{{$}}]{{end}}', '[a][b][c]'],
  ['{{block "b" .State}}{{.Status}}{{end}} {{template "b" .State}}', 'running running'],
  [
    '{{define "a"}}{{template "b" .Id}}{{end}}{{define "b"}}{{.}}!{{end}}{{template "a" .}}',
    'abc!',
  ],
  ['{{.Name}} {{ .Id }}', '/web abc'],
  ['{{.ID}}', 'abc'],
  ['{{.State.Nested.Deep}}', 'd'],
  ['{{.Count}} {{.Zero}} {{.Yes}}', '3 0 true'],
  ['{{.List}} {{.Labels}} {{.State}}', '[a b c] map[a.b:x c:y] {running 42 {d}}'],
  ['{{"quoted \\"x\\"\\n"}}{{`raw \\n`}}', 'quoted "x"\nraw \\n'],
  ["{{1}} {{-2}} {{0x10}} {{1.5}} {{'a'}} {{true}}", '1 -2 16 1.5 97 true'],
  ['{{-0x10}} {{+7}} {{017}} {{0o17}} {{0b101}} {{1_000}}', '-16 7 15 15 5 1000'],
  ['{{/* a comment */}}x{{- /* another */ -}} y', 'xy'],
  ['a  {{- .Count -}}  b', 'a3b'],
  ['a\n{{- range .List}}\n{{.}}{{end}}', 'a\na\nb\nc'],
  ['{{if .Yes}}y{{else}}n{{end}}', 'y'],
  ['{{if .Zero}}y{{else if .Empty}}e{{else if .List}}l{{else}}n{{end}}', 'l'],
  ['{{if not .Empty}}empty{{end}}', 'empty'],
  ['{{if .Nothing}}a{{end}}{{if .NoList}}b{{end}}{{if .State}}c{{end}}', 'c'],
  [
    '{{if and .Yes .Count}}both{{end}} {{or .Empty "default"}} {{and .Zero .Nope}}',
    'both default 0',
  ],
  ['{{with .State}}{{.Status}} {{$.Name}}{{end}}', 'running /web'],
  ['{{with .Empty}}x{{else}}none{{end}}', 'none'],
  ['{{with $x := .Count}}{{$x}}{{end}}', '3'],
  ['{{range .List}}[{{.}}]{{end}}', '[a][b][c]'],
  ['{{range $i, $e := .List}}{{$i}}={{$e}};{{end}}', '0=a;1=b;2=c;'],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a.b=x;c=y;'],
  ['{{range .NoList}}x{{else}}none{{end}}', 'none'],
  ['{{range 3}}{{.}}{{end}}', '012'],
  ['{{range .Numbers}}{{if eq . 2}}{{continue}}{{end}}{{.}}{{end}}', '13'],
  ['{{range .Numbers}}{{if eq . 2}}{{break}}{{end}}{{.}}{{end}}', '1'],
  [
    '{{range $p, $conf := .Ports}}{{$p}} -> {{if $conf}}{{(index $conf 0).HostPort}}{{end}};{{end}}',
    '443/tcp -> ;80/tcp -> 8080;',
  ],
  ['{{$x := "a"}}{{$x}}{{$x = "b"}}{{$x}}', 'ab'],
  ['{{$s := ""}}{{range .List}}{{$s = printf "%s%s" $s .}}{{end}}{{$s}}', 'abc'],
  ['{{if true}}{{$y := 1}}{{$y}}{{end}}', '1'],
  ['{{index .List 1}} {{index .Labels "a.b"}} {{index .Labels "none"}}|', 'b x |'],
  ['{{(index (index .Ports "80/tcp") 0).HostPort}}', '8080'],
  ['{{len .List}} {{len .Labels}} {{len "héé"}}', '3 2 5'],
  ['{{slice .Name 1}} {{slice "abcdef" 1 3}}', 'web bc'],
  [
    '{{printf "%s|%5s|%-5s|%05d|%x|%q|%v|%t|%.2f|%%" "a" "b" "c" 42 255 "q" .List true 1.005}}',
    'a|    b|c    |00042|ff|"q"|[a b c]|true|1.00|%',
  ],
  [
    '{{printf "%d" "x"}} {{printf "%s"}} {{printf "a" 1}}',
    '%!d(string=x) %!s(MISSING) a%!(EXTRA int=1)',
  ],
  ['{{print "a" 1 2 "b" true}} {{println "a" 1}}', 'a1 2btrue a 1\n'],
  [
    '{{eq .Count 3}} {{ne .Id "x"}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}',
    'true true true true true false',
  ],
  ['{{eq .Id "x" "abc"}}', 'true'],
  ['{{.Name | upper | printf "%s!"}}', '/WEB!'],
  ['{{printf "%U" 65}}', 'U+0041'],
  ['{{printf "%s %s %s" 1 true .Nothing}}', '%!s(int=1) %!s(bool=true) %!s(<nil>)'],
  [
    '{{json .Labels}} {{json .Name}} {{.List | json}} {{json .Nothing}}',
    '{"a.b":"x","c":"y"} "/web" ["a","b","c"] null',
  ],
  [
    '{{join .List ","}} {{split "a,b" ","}} {{lower "ABC"}} {{title "hello world"}}',
    'a,b,c [a b] abc Hello World',
  ],
  ['{{truncate "abcdef" 3}}|{{truncate "ab" 3}}|{{pad "x" 1 2}}|{{pad "" 1 2}}|', 'abc|ab| x  ||'],
  ['{{.Method "k"}} {{(.Method "x") | upper}}', '<k> <X>'],
  ['{{html "<a&b>"}} {{urlquery "a b&c"}} {{js "it\'s"}}', "&lt;a&amp;b&gt; a+b%26c it\\'s"],
  ['{{.Nothing}} {{nil | json}}', '<nil> null'],
  ['{{with .State}}{{with .Nested}}{{.Deep}}{{end}}{{end}}', 'd'],
  ['{{- "x" -}}', 'x'],
  ['{{not (eq .Count 3)}}', 'false'],
]

describe('Template', () => {
  for (const [text, expected] of CASES) {
    it(text, () => assert.equal(new Template(text).execute(DATA), expected))
  }

  for (const [text, message] of [
    ['{{', 'template: :1: unclosed action'],
    ['{{.A', 'template: :1: unclosed action'],
    ['{{nope}}', 'template: :1: function "nope" not defined'],
    ['{{if .A}}', 'template: :1: unexpected EOF'],
    ['{{end}}', 'template: :1: unexpected {{end}}'],
    ['{{if}}x{{end}}', 'template: :1: missing value for if'],
    ['{{$x}}', 'template: :1: undefined variable "$x"'],
    ['{{if true}}{{$y := 1}}{{end}}{{$y}}', 'template: :1: undefined variable "$y"'],
    ['{{"abc}}', 'template: :1: unterminated quoted string'],
    ['{{(.A}}', 'template: :1: unclosed left paren'],
    ['{{.A | }}', 'template: :1: unexpected "|"'],
    ['x\n{{ % }}', "template: :2: unexpected unrecognized character in action: U+0025 '%'"],
    ['{{break}}', 'template: :1: {{break}} outside {{range}}'],
  ] as const) {
    it(`refuses ${text}`, () => assert.throws(() => new Template(text), { message }))
  }

  it('has no value for a missing key of a map', () => {
    const event = { Actor: { Attributes: { name: 'a' } }, timeNano: 1_795_312_142_954_840_012n }
    const text = '{{.Actor.Attributes.name}} [{{.Actor.Attributes.exitCode}}] {{.TimeNano}}'
    assert.equal(new Template(text).execute(event), 'a [<no value>] 1795312142954840012')
    const network = '{{.Networks.nope.IPAddress}}{{if .Labels.x}}x{{end}}'
    assert.equal(new Template(network).execute({ Networks: {}, Labels: null }), '<no value>')
  })

  it('writes integers of 64 bits as JSON', () => {
    const event = { timeNano: 1_795_312_142_954_840_012n }
    assert.equal(new Template('{{json .}}').execute(event), '{"timeNano":1795312142954840012}')
  })

  for (const [text, message] of [
    ['{{.Nope}}', 'template: :1:2: executing "" at <.Nope>: map has no entry for key "Nope"'],
    [
      '{{.State.Nope}}',
      'template: :1:8: executing "" at <.State.Nope>: map has no entry for key "Nope"',
    ],
    [
      '{{.Name.Nope}}',
      'template: :1:7: executing "" at <.Name.Nope>: can\'t evaluate field Nope in type string',
    ],
    [
      '{{.Nothing.X}}',
      'template: :1:10: executing "" at <.Nothing.X>: nil pointer evaluating interface {}.X',
    ],
    [
      '{{index .List 9}}',
      'template: :1:2: executing "" at <index .List 9>: error calling index: index out of range: 9',
    ],
    [
      '{{slice  .Name 9}}',
      'template: :1:2: executing "" at <slice .Name 9>: error calling slice: index out of range: 9',
    ],
    [
      '{{slice .List 2 1}}',
      'template: :1:2: executing "" at <slice .List 2 1>: error calling slice: invalid slice index: 2 > 1',
    ],
    [
      '{{range .Name}}x{{end}}',
      'template: :1:8: executing "" at <.Name>: range can\'t iterate over /web',
    ],
    [
      '{{eq .List .List}}',
      'template: :1:2: executing "" at <eq .List .List>: error calling eq: non-comparable type',
    ],
    [
      '{{not}}',
      'template: :1:2: executing "" at <not>: wrong number of args for not: want 1 got 0',
    ],
    [
      '{{and}}',
      'template: :1:2: executing "" at <and>: wrong number of args for and: want at least 1 got 0',
    ],
    [
      '{{join .List}}',
      'template: :1:2: executing "" at <join .List>: wrong number of args for join: want 2 got 1',
    ],
    [
      '{{call .Name}}',
      'template: :1:2: executing "" at <call .Name>: error calling call: non-function of type string',
    ],
    [
      '{{eq 1 "1"}}',
      'template: :1:2: executing "" at <eq 1 "1">: error calling eq: incompatible types for comparison',
    ],
  ] as const) {
    it(`fails in ${text}`, () => assert.throws(() => new Template(text).execute(DATA), { message }))
  }

  it('knows nothing of the prototype of its data', () => {
    assert.throws(() => new Template('{{.constructor}}').execute({}), /has no entry/)
    assert.throws(() => new Template('{{.__proto__}}').execute({}), /has no entry/)
  })

  it('prints maps and empty structs as such', () => {
    const labels = { Foo: 'bar' }
    markAsMap(labels)
    const data = { Labels: labels, Volumes: { '/a': EMPTY_STRUCT } }
    const template = new Template('{{.Labels}} {{.Volumes}} {{json .}} {{.Labels.Foo}}')
    assert.equal(
      template.execute(data),
      'map[Foo:bar] map[/a:{}] {"Labels":{"Foo":"bar"},"Volumes":{"/a":{}}} bar',
    )
  })

  it("treats Go's nil slice and nil map as empty, and as null in JSON", () => {
    const data = { Config: { Cmd: NIL_SLICE, Labels: NIL_MAP } }
    const template = new Template(
      '{{.Config.Cmd}} {{.Config.Labels}} {{len .Config.Cmd}} {{len .Config.Labels}} {{json .Config}}{{range .Config.Cmd}}x{{end}}{{if .Config.Labels}}y{{end}}',
    )
    assert.equal(template.execute(data), '[] map[] 0 0 {"Cmd":null,"Labels":null}')
  })
})
