import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { MIME_TYPE } from './figure';
import { PlotlyRenderer } from './renderer';

/** What JupyterLab loads: a renderer for plotly's MIME type, preferred to any HTML beside it. */
const extension: IRenderMime.IExtension = {
  id: 'guardpage-plotly:figures',
  dataType: 'json',
  rank: 0,
  rendererFactory: {
    safe: true,
    mimeTypes: [MIME_TYPE],
    createRenderer: () => new PlotlyRenderer(),
  },
};

export default extension;
