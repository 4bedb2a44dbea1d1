/** Attributes of an element; those that are undefined are left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element as text. Numbers keep one digit after the point: a tenth of a pixel. */
export function element(name: string, attributes: Attributes, content: string = ''): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(
      ([key, value]) =>
        ` ${key}="${typeof value === 'number' ? short(value) : escapeXml(String(value))}"`,
    )
    .join('');
  return content === '' ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

export function short(value: number): string {
  return String(Math.round(value * 10) / 10 + 0); // + 0: no -0
}

export function escapeXml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

export interface TextOptions {
  readonly size?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  /** Which part of the text is at y. */
  readonly vertical?: 'top' | 'middle' | 'bottom';
  readonly color?: string;
  readonly weight?: string;
  readonly rotate?: number;
}

export const TEXT_SIZE = 12;
const LINE = 1.25;

const BREAK = /<br\s*\/?>/i;

/** The lines of a text with plotly's few tags: `<br>` breaks, others are left out. */
export function textLines(text: string): string[] {
  return text.split(BREAK).map(withoutTags);
}

function withoutTags(line: string): string {
  return line
    .replace(/<\/?[a-z][^>]*>/gi, '')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
}

/** A line whose coloured spans keep their colour. */
function colouredLine(line: string): string {
  return line
    .split(/(<span style="color:[^"]*">.*?<\/span>)/)
    .map((piece) => {
      const [, fill, inner] = /^<span style="color:\s*([^";]+);?">(.*)<\/span>$/.exec(piece) ?? [];
      const told = escapeXml(withoutTags(inner ?? piece));
      return fill === undefined ? told : element('tspan', { fill }, told);
    })
    .join('');
}

export function text(content: string, x: number, y: number, options: TextOptions = {}): string {
  const {
    size = TEXT_SIZE,
    anchor = 'start',
    vertical = 'middle',
    color,
    weight,
    rotate,
  } = options;
  const lines = textLines(content);
  const height = size * LINE;
  const first = {
    top: 0.8 * size,
    middle: 0.35 * size - ((lines.length - 1) * height) / 2,
    bottom: -0.25 * size - (lines.length - 1) * height,
  }[vertical];
  const attributes = {
    x,
    y: y + first,
    'text-anchor': anchor === 'start' ? undefined : anchor,
    'font-size': size === TEXT_SIZE ? undefined : size,
    'font-weight': weight,
    fill: color,
    transform: rotate === undefined ? undefined : `rotate(${rotate} ${short(x)} ${short(y)})`,
  };
  const [line, ...more] = content.split(BREAK).map(colouredLine);
  const rest = more.map((next) => element('tspan', { x, dy: height }, next || ' '));
  return element('text', attributes, (line || ' ') + rest.join(''));
}

const WIDTHS: readonly (readonly [RegExp, number])[] = [
  [/[iljI.,:;'|!]/, 0.26],
  [/[ftr()[\] /-]/, 0.32],
  [/[mwMW%@]/, 0.86],
  [/[A-Z]/, 0.67],
];

/** About how wide a text gets in a sans-serif font, its widest line. */
export function textWidth(content: string, size: number = TEXT_SIZE): number {
  const widths = textLines(content).map((line) =>
    [...line].reduce(
      (sum, char) => sum + (WIDTHS.find(([chars]) => chars.test(char))?.[1] ?? 0.55),
      0,
    ),
  );
  return Math.max(...widths) * size;
}

export function textHeight(content: string, size: number = TEXT_SIZE): number {
  return textLines(content).length * size * LINE;
}
