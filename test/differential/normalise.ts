/** What may differ between two runs of one command on any engine: identifiers, times, sizes of padding, paths of the lane. */
export interface LaneTexts {
  readonly root: string
  readonly workDirectory: string
  /** First three bytes of the bridge's /24. */
  readonly subnetPrefix: string
}

export function normalise(text: string, lane: LaneTexts): string {
  return (
    text
      .replaceAll(lane.workDirectory, '<CWD>')
      .replaceAll(lane.root, '<ROOT>')
      .replaceAll(`${lane.subnetPrefix}.`, '10.0.0.')
      .replace(/\b[0-9a-f]{64}\b/g, '<ID>')
      .replace(/\b[0-9a-f]{12}\b/g, '<SHORT>')
      .replace(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<MAC>')
      // Names that a daemon makes up.
      .replace(/(?<=[ \t]|"\/|^)[a-z]{3,}_[a-z]{3,}\d?(?=\n|$|")/gm, '<NAME>')
      .replace(/20\d\d-\d\d-\d\d[T ][\d:.]+(Z| \+0000 UTC)?/g, '<TIME>')
      .replace(/\b(\d+ (second|minute)s?|Less than a second|About a minute) ago/g, '<AGO>')
      .replace(/\bUp (\d+ (second|minute)s?|Less than a second|About a minute)/g, 'Up <TIME>')
      .replace(/\blookup registry-1\S* on \S+/g, 'lookup <REGISTRY>')
      .replace(/0xc[0-9a-f]{9}\b/g, '<POINTER>')
      // Host pids: in inspect, in the columns of top.
      .replace(/"Pid": ?[1-9]\d*/g, '"Pid":1')
      .replace(/\/proc\/\d+\/ns/g, '/proc/<PID>/ns')
      .replace(/"StartTicks": ?\d+/g, '"StartTicks":1')
      // The cgroup of a daemon of a test.
      .replace(/\/ctt[0-9a-f]{8}\//g, '/<PARENT>/')
      .replace(/^(root +)\d+ +\d+( +\d+ +)\d\d:\d\d/gm, '$1<PID> <PPID>$2<TIME>')
      .replace(/^(PID +COMMAND\n)\d+/gm, '$1<PID>')
      // A line of the client's own log: whether it comes depends on which side is quicker.
      .replace(/^time="[^\n]*\n/gm, '')
      .replace(/ +/g, ' ')
  )
}

/** The same program under its other name. */
export function withoutProduct(text: string): string {
  return text.replace(/the docker daemon/g, 'the ctr daemon').replaceAll('docker', 'ctr')
}
