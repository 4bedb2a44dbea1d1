import type { ExperimentResult } from '../experiments/experiment';
import { cellText } from '../experiments/table';
import { kernelConfig } from '../stack/config';
import type { Figure, PlotlyObject } from './figure';
import { ERA_STYLE, OKABE_ITO } from './palette';
import {
  axis,
  categoryAxis,
  distinct,
  margins,
  panelTitle,
  points,
  resultFigure,
  rowsWhere,
} from './parts';

const USABLE_8K = kernelConfig('8k').usable;

/** Where the slider stands at first, and what a still picture shows. */
const SHOWN_FIRST = '512';

/** Depths of the published traces with every frame trimmed to a size that a slider chooses. */
export function frameDietFigure(result: ExperimentResult): Figure {
  const { table } = result;
  const caps = distinct(table, 'cap');
  const rowsOf = (cap: string) => rowsWhere(table, (row) => cellText(row.cap) === cap);
  const order = [...rowsOf(caps[0])]
    .sort((a, b) => Number(b.row.depth) - Number(a.row.depth))
    .map(({ row }) => String(row.what));
  const first = Math.max(0, caps.indexOf(SHOWN_FIRST));
  const { color, dash } = ERA_STYLE['8k'];
  const limit: PlotlyObject = {
    type: 'scatter',
    mode: 'lines',
    name: `usable in 8 KB: ${USABLE_8K} bytes`,
    line: { color, dash, width: 2 },
    x: [USABLE_8K, USABLE_8K],
    y: [order[0], order[order.length - 1]],
    customdata: [order[0], order[order.length - 1]].map((what) =>
      table.rows.findIndex((row) => row.what === what),
    ),
    meta: { reference: true },
    hovertemplate: `${USABLE_8K} usable bytes of 8 KB<extra></extra>`,
  };
  const posted: PlotlyObject = {
    type: 'scatter',
    mode: 'markers',
    name: 'as posted',
    marker: { color: OKABE_ITO.grey, symbol: 'diamond-open', size: 12, line: { width: 2 } },
    hovertemplate: '%{x} bytes deep as posted<extra>%{y}</extra>',
    ...points(rowsOf(caps[0]), 'depth', 'what'),
  };
  const marks = caps.map((cap, i): PlotlyObject => {
    const rows = rowsOf(cap);
    return {
      type: 'scatter',
      mode: 'markers',
      name: headline(result, cap),
      visible: i === first,
      marker: { color: OKABE_ITO.blue, symbol: 'circle', size: 11 },
      text: rows.map(
        ({ row }) => `${row.trimmed} of ${row.calls} frames trimmed, ${row.left8k} left`,
      ),
      hovertemplate: '%{x} bytes deep; %{text}<extra>%{y}</extra>',
      ...points(rows, 'depth', 'what'),
    };
  });
  const depths = (cap: string) => rowsOf(cap).map(({ row }) => Number(row.depth));
  const last = caps[caps.length - 1];
  return resultFigure(result, {
    caption: `Move the slider to a largest frame: the dots show how deep the same calls would then be, the diamonds how deep they were. A cap at 512 bytes takes ${Math.max(...depths(caps[0])) - Math.max(...depths('512'))} bytes off the deepest trace: their depth is made of many frames of middling size. The dashed line is what an 8 KB stack holds.`,
    alt:
      `Dot plot with a slider. Vertical: ${order.length} published traces, deepest on top. Horizontal: depth in bytes. The slider sets the largest frame, from as posted to ${last} bytes. ` +
      `${caps.map((cap) => `${headline(result, cap)}, deepest ${Math.max(...depths(cap))}`).join('; ')}.`,
    data: [limit, posted, ...marks],
    layout: {
      height: 560,
      showlegend: false,
      xaxis: axis('depth (bytes)', { range: [0, 9000] }),
      yaxis: categoryAxis(order),
      annotations: [panelTitle(headline(result, caps[first]), 0, 1.01)],
      sliders: [
        {
          active: first,
          x: 0.03,
          len: 0.9,
          pad: { t: 70, b: 0 },
          currentvalue: { visible: false },
          steps: caps.map((cap, chosen) => ({
            label: cap === caps[0] ? 'as posted' : cap,
            method: 'update',
            args: [
              { visible: [true, true, ...caps.map((_, i) => i === chosen)] },
              { 'annotations[0].text': headline(result, cap) },
            ],
          })),
        },
      ],
      margin: margins({ t: 80, b: 150 }),
    },
  });
}

/** What one step of the slider shows, in words. */
function headline({ table }: ExperimentResult, cap: string): string {
  const rows = table.rows.filter((row) => cellText(row.cap) === cap);
  const fit = rows.filter(({ left8k }) => Number(left8k) >= 0).length;
  const what = cap === 'as posted' ? 'frames as posted' : `no frame above ${cap} bytes`;
  return `${what}: ${fit} of ${rows.length} fit into 8 KB`;
}
