import type { PlotlyObject } from '../figure';

/** A part of a trace or layout that may be missing. */
export function part(object: PlotlyObject | undefined, key: string): PlotlyObject {
  const value = object?.[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as PlotlyObject)
    : {};
}

export function num(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

export function str(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** One value for all points, or a list with one for each. */
export function at(value: unknown, index: number): unknown {
  return Array.isArray(value) ? value[index] : value;
}

export function objects(value: unknown): readonly PlotlyObject[] {
  return list(value).filter(
    (item): item is PlotlyObject => typeof item === 'object' && item !== null,
  );
}

/** plotly's colours for traces that name none. */
const COLORWAY = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2'];

export function traceColour(trace: PlotlyObject, index: number): string {
  const marker = part(trace, 'marker').color;
  const line = part(trace, 'line').color;
  const lines = str(trace.mode, 'lines').includes('lines');
  const [first, second] = lines && trace.type !== 'bar' ? [line, marker] : [marker, line];
  return str(first, str(second, COLORWAY[index % COLORWAY.length]));
}
