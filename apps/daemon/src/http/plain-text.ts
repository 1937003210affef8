/** A short answer that is not JSON. */
export class PlainText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}
