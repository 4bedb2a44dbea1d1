import { isObject, type Json } from './figure';

/** JupyterLab's own colours, as CSS computes them now. */
export interface Colours {
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
}

/** The pressed button of a menu is always drawn in this light blue by plotly (4.1). */
const BUTTONS = { bgcolor: '#d5dbe1', bordercolor: '#7a828a', font: { color: '#1c1e21' } };

/**
 * A plotly template that puts the figure on the page's own ground in the page's colours. What
 * the figure itself sets wins; one that sets its ground keeps all its own colours.
 */
export function themed(layout: Json, { text, faint, grid }: Colours): Json {
  const own = isObject(layout.template) ? layout.template : {};
  const ownLayout = isObject(own.layout) ? own.layout : {};
  const ground = [layout, ownLayout].some((part) => part.paper_bgcolor ?? part.plot_bgcolor);
  if (ground) return own;
  const axis = { gridcolor: grid, linecolor: faint, zerolinecolor: faint, tickcolor: faint };
  const clear = 'rgba(0, 0, 0, 0)';
  const theme: Json = {
    paper_bgcolor: clear,
    plot_bgcolor: clear,
    font: { color: text },
    xaxis: axis,
    yaxis: axis,
    scene: { xaxis: axis, yaxis: axis, zaxis: axis },
    modebar: { bgcolor: clear, color: faint, activecolor: text },
    updatemenudefaults: BUTTONS,
    sliderdefaults: { bgcolor: grid, bordercolor: faint, tickcolor: faint },
  };
  return { ...own, layout: merge(theme, ownLayout) };
}

/** `over` on top of `base`, objects merged key by key. */
function merge(base: Json, over: Json): Json {
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isObject(value) && isObject(below) ? merge(below, value) : value;
  }
  return merged;
}
