import { element, short } from './svg';

/** Line styles of plotly as SVG's dash lengths. */
export function dashArray(dash: unknown, width: number): string | undefined {
  const lengths: Record<string, number[]> = {
    dot: [1, 1.6],
    dash: [4, 2.5],
    longdash: [7, 3],
    dashdot: [4, 2, 1, 2],
    longdashdot: [7, 2.5, 1, 2.5],
  };
  const parts = typeof dash === 'string' ? lengths[dash] : undefined;
  return parts?.map((length) => short(length * Math.max(width, 1.5))).join(' ');
}

const polygon = (points: readonly (readonly [number, number])[]): string =>
  `M${points.map(([x, y]) => `${x},${y}`).join('L')}Z`;

const regular = (corners: number, turn: number, radius = 1.1): string =>
  polygon(
    Array.from({ length: corners }, (_, i) => {
      const angle = turn + (2 * Math.PI * i) / corners;
      const round = (value: number) => Math.round(value * 100) / 100;
      return [round(radius * Math.sin(angle)), round(-radius * Math.cos(angle))] as const;
    }),
  );

const star = (): string =>
  polygon(
    Array.from({ length: 10 }, (_, i) => {
      const radius = i % 2 === 0 ? 1.4 : 0.55;
      const angle = (Math.PI * i) / 5;
      const round = (value: number) => Math.round(value * 100) / 100;
      return [round(radius * Math.sin(angle)), round(-radius * Math.cos(angle))] as const;
    }),
  );

/** Shapes of radius 1; those without an inside are lines. */
const SHAPES: Readonly<Record<string, string>> = {
  circle: 'M1,0A1,1 0 1 1 -1,0A1,1 0 1 1 1,0Z',
  square: 'M-1,-1H1V1H-1Z',
  diamond: 'M0,-1.3L1.3,0L0,1.3L-1.3,0Z',
  cross: 'M-1.2,-0.4H-0.4V-1.2H0.4V-0.4H1.2V0.4H0.4V1.2H-0.4V0.4H-1.2Z',
  x: 'M-1.2,-0.6L-0.6,-1.2L0,-0.6L0.6,-1.2L1.2,-0.6L0.6,0L1.2,0.6L0.6,1.2L0,0.6L-0.6,1.2L-1.2,0.6L-0.6,0Z',
  'triangle-up': 'M-1.2,0.7L1.2,0.7L0,-1.3Z',
  'triangle-down': 'M-1.2,-0.7L1.2,-0.7L0,1.3Z',
  'triangle-left': 'M0.7,-1.2V1.2L-1.3,0Z',
  'triangle-right': 'M-0.7,-1.2V1.2L1.3,0Z',
  pentagon: regular(5, 0),
  hexagon: regular(6, 0),
  star: star(),
  'line-ns': 'M0,-1.4V1.4',
  'line-ew': 'M-1.4,0H1.4',
  'cross-thin': 'M-1.4,0H1.4M0,-1.4V1.4',
  'x-thin': 'M-1,-1L1,1M-1,1L1,-1',
  asterisk: 'M-1.2,0H1.2M0,-1.2V1.2M-0.85,-0.85L0.85,0.85M-0.85,0.85L0.85,-0.85',
};

const STROKED = /^(?:line-|cross-thin|x-thin|asterisk)/;

export interface Mark {
  readonly symbol: string;
  readonly size: number;
  readonly color: string;
  readonly lineColor?: string;
  readonly lineWidth?: number;
  readonly opacity?: number;
}

/** How a marker is drawn around the origin; `-open` behind the symbol draws its outline only. */
export function markShape({ symbol, size, color, lineColor, lineWidth, opacity }: Mark): string {
  const open = symbol.includes('-open');
  const name = symbol.replace(/-(?:open|dot)/g, '');
  const shape = SHAPES[name] ?? SHAPES.circle;
  const outline = open || STROKED.test(name);
  const scale = size / 2;
  const width = outline ? Math.max(1, lineWidth ?? 1) : (lineWidth ?? 0);
  return element('path', {
    d: shape,
    transform: `scale(${short(scale)})`,
    fill: outline ? 'none' : color,
    stroke: outline ? (lineColor ?? color) : width > 0 ? (lineColor ?? '#fff') : undefined,
    'stroke-width': width > 0 ? String(Math.round((width / scale) * 100) / 100) : undefined,
    opacity: opacity === undefined || opacity === 1 ? undefined : String(opacity),
  });
}
