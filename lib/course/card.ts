import { escapeHtml, MIME_BUNDLE, type MimeBundle } from '../figures/figure';
import { OKABE_ITO } from '../figures/palette';
import { markdownHtml } from './markdown';

const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/** Each kind has a sign and a colour; the heading says the same in words. */
const KINDS = {
  task: { sign: '✎', color: OKABE_ITO.blue },
  open: { sign: '○', color: OKABE_ITO.grey },
  right: { sign: '✔', color: OKABE_ITO.bluishGreen },
  wrong: { sign: '✘', color: OKABE_ITO.vermillion },
  hint: { sign: '➜', color: OKABE_ITO.skyBlue },
  solution: { sign: '✱', color: OKABE_ITO.reddishPurple },
} as const;

export type CardKind = keyof typeof KINDS;

/** A heading and some Markdown, which show themselves in a notebook. */
export class Card {
  readonly kind: CardKind;
  readonly heading: string;
  readonly markdown: string;

  constructor(kind: CardKind, heading: string, markdown: string) {
    this.kind = kind;
    this.heading = heading;
    this.markdown = markdown;
  }

  [MIME_BUNDLE](): MimeBundle {
    return { 'text/html': this.toHtml(), 'text/plain': this.toString() };
  }

  toHtml(): string {
    const { sign, color } = KINDS[this.kind];
    return (
      `<div style="border-left:4px solid ${color};padding:0 0 0 12px">` +
      `<p><strong><span aria-hidden="true">${sign}</span> ${escapeHtml(this.heading)}</strong></p>` +
      `${markdownHtml(this.markdown)}</div>`
    );
  }

  toString(): string {
    return `${KINDS[this.kind].sign} ${this.heading}\n${this.markdown}`.trim();
  }

  [INSPECT](): string {
    return this.toString();
  }
}
