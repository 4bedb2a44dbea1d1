import type { PlotlyObject } from '../figure';
import { drawBars } from './bars';
import { drawAxis, frameBox, placeAxes } from './frame';
import { drawHeatmap } from './heatmap';
import { drawLegend } from './legend';
import { drawAnnotations, drawShapes } from './notes';
import { isUsed, isVisible, readAxes } from './panels';
import { Definitions } from './definitions';
import { num, part, str } from './read';
import { drawScatter, groupShift } from './scatter';
import { element, escapeXml, text } from './svg';

const WIDTH = 820;

/** Traces that are drawn; a figure with another one has no preview. */
const DRAWN = new Set([undefined, 'scatter', 'bar', 'heatmap']);

/**
 * A figure as a still picture, SVG: what plotly first shows, without the buttons and sliders. It is drawn from
 * the same data and layout, needs no browser and is the same on every machine; text widths are estimated, so
 * that legends and margins may lie some pixels from where plotly puts them.
 *
 * @param alt what the picture shows, in words
 * @returns undefined for a figure with traces of a kind that is not drawn
 */
export function preview(
  data: readonly PlotlyObject[],
  layout: PlotlyObject,
  alt: string,
): string | undefined {
  if (data.some(({ type }) => !DRAWN.has(type as string | undefined))) return undefined;
  const [width, asked] = [WIDTH, num(layout.height, 450)];
  const traces = data.filter(isVisible);
  const axes = readAxes(traces, layout);
  for (const axis of [...axes.values()]) {
    if (!isUsed(axis, traces, layout) && axis.id.length > 1) axes.delete(axis.id);
  }
  const box = frameBox(axes, layout, width, asked);
  placeAxes(axes, box);
  const definitions = new Definitions();
  const frames = [...axes.values()].map((axis) => drawAxis(axis, axes));
  const scatters = traces
    .filter(({ type }) => type === undefined || type === 'scatter')
    .map((trace) =>
      drawScatter(trace, data.indexOf(trace), axes, definitions, groupShift(trace, traces, layout)),
    );
  const legend = drawLegend(traces, layout, box, width, definitions);
  const height = Math.max(asked, Math.ceil(legend.bottom) + 10);
  const title = str(part(layout, 'title').text, '');
  const parts = [
    element('rect', { width: '100%', height: '100%', fill: '#fff' }),
    drawShapes(layout, 'below', axes, box),
    ...frames.map(({ grid }) => grid),
    ...traces
      .filter(({ type }) => type === 'heatmap')
      .map((trace) => drawHeatmap(trace, axes, definitions)),
    drawBars(traces, layout, axes, definitions),
    ...scatters.map(({ lines }) => lines),
    ...scatters.map(({ marks }) => marks),
    drawShapes(layout, 'above', axes, box),
    ...frames.map(({ labels }) => labels),
    drawAnnotations(layout, axes, box),
    legend.drawn,
    title === '' ? '' : text(title, width / 2, 22, { anchor: 'middle', size: 17 }),
  ].filter((drawn) => drawn !== '');
  const content = [element('title', {}, escapeXml(alt)), definitions.defs, ...parts].filter(
    Boolean,
  );
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: 'img',
      'font-family': 'Helvetica, Arial, sans-serif',
      'font-size': 12,
      fill: '#2a3f5f',
    },
    `\n${content.join('\n')}\n`,
  );
}
