import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import type * as Plotly from 'plotly.js-dist';
import { MIME_TYPE, readFigure, type Figure } from './figure';
import { themed } from './template';
import { currentColours, watchTheme } from './theme';

/** plotly.js comes with the first figure: 4.6 MB that a page of text does without. */
const plotly = () => import('plotly.js-dist') as Promise<typeof Plotly>;

/**
 * Draws one output: the plot under its accessible name, its caption below. It follows
 * JupyterLab's theme and the cell's width, and only ever reads the output's model.
 */
export class PlotlyRenderer extends Widget implements IRenderMime.IRenderer {
  private readonly plot = document.createElement('div');
  private readonly resizes = new ResizeObserver(() => void this.draw());
  private readonly stopWatching = watchTheme(() => void this.recolour());
  private figure: Figure | undefined;
  private drawnWidth = 0;

  constructor() {
    super();
    this.addClass('guardpage-plotly');
    // No image: that would hide the buttons of its tool bar.
    this.plot.setAttribute('role', 'group');
    this.plot.style.width = '100%';
    this.resizes.observe(this.node);
  }

  /** Draws as soon as there is a width to draw in, again when the output is updated. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.figure = undefined;
    this.drawnWidth = 0;
    try {
      this.figure = readFigure(model.data[MIME_TYPE], model.metadata[MIME_TYPE]);
    } catch (error) {
      this.refuse(error, model.data[MIME_TYPE]);
      return;
    }
    this.place(this.figure);
    await this.draw();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.resizes.disconnect();
    this.stopWatching();
    if (this.figure) void plotly().then(({ purge }) => purge(this.plot));
    super.dispose();
  }

  private place({ alt, caption }: Figure): void {
    const frame = document.createElement('figure');
    frame.style.margin = '0';
    this.plot.setAttribute('aria-label', alt);
    frame.append(this.plot);
    if (caption !== undefined) {
      const line = document.createElement('figcaption');
      line.textContent = caption;
      line.style.color = 'var(--jp-ui-font-color2)';
      line.style.padding = '4px 8px';
      frame.append(line);
    }
    this.node.replaceChildren(frame);
  }

  /** Draws the figure, or fits what is drawn to a new width. */
  private async draw(): Promise<void> {
    const { figure } = this;
    const width = this.node.clientWidth;
    if (!figure || width === 0 || width === this.drawnWidth) return;
    const first = this.drawnWidth === 0;
    this.drawnWidth = width;
    const { react, addFrames, Plots } = await plotly();
    if (this.isDisposed || this.figure !== figure) return;
    if (!first) {
      Plots.resize(this.plot);
      return;
    }
    try {
      const template = themed(figure.layout, currentColours(this.node));
      await react(
        this.plot,
        structuredClone(figure.data) as Plotly.Data[],
        { ...structuredClone(figure.layout), template },
        figure.config,
      );
      if (figure.frames.length > 0) {
        await addFrames(this.plot, structuredClone(figure.frames) as Partial<Plotly.Frame>[]);
      }
      this.checkTypes(figure);
      this.hideDrawing();
    } catch (error) {
      if (this.figure === figure) this.refuse(error, figure);
    }
  }

  /** The name says what is drawn; read out piece by piece it is noise. */
  private hideDrawing(): void {
    for (const drawing of this.plot.querySelectorAll('svg.main-svg')) {
      drawing.setAttribute('aria-hidden', 'true');
    }
  }

  /** plotly draws a trace type that it does not know as a scatter plot, without a word. */
  private checkTypes({ data }: Figure): void {
    const drawn = (this.plot as unknown as { _fullData: { type: string }[] })._fullData;
    for (const [i, { type = 'scatter' }] of data.entries()) {
      if (drawn[i] && drawn[i].type !== type) {
        throw new TypeError(`data[${i}].type: plotly.js has no trace type "${String(type)}"`);
      }
    }
  }

  private async recolour(): Promise<void> {
    const { figure } = this;
    if (!figure || this.drawnWidth === 0) return;
    const { relayout } = await plotly();
    if (this.isDisposed || this.figure !== figure) return;
    const template = themed(figure.layout, currentColours(this.node));
    await relayout(this.plot, { template } as Partial<Plotly.Layout>);
  }

  /** Says in the figure's place why it cannot be drawn, with the figure to look at. */
  private refuse(error: unknown, content: unknown): void {
    this.figure = undefined;
    const message = document.createElement('p');
    message.setAttribute('role', 'alert');
    message.style.color = 'var(--jp-error-color1)';
    const reason = error instanceof Error ? error.message : String(error);
    message.textContent = `This figure cannot be drawn: ${reason}`;
    const details = document.createElement('details');
    const summary = document.createElement('summary');
    summary.textContent = 'The figure as it was received';
    const source = document.createElement('pre');
    source.textContent = JSON.stringify(content, null, 2) ?? 'nothing';
    details.append(summary, source);
    this.node.replaceChildren(message, details);
  }
}
