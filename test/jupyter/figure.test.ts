import assert from 'node:assert/strict';
import { readFigure } from '../../lib/jupyter/labextension/figure';
import { themed } from '../../lib/jupyter/labextension/template';

const COLOURS = { text: 'rgb(1, 1, 1)', faint: 'rgb(2, 2, 2)', grid: 'rgb(3, 3, 3)' };

describe('readFigure', () => {
  it('takes its accessible name from the figure, the output, or the title, in that order', () => {
    const alt = (layout: object, metadata = {}) => readFigure({ data: [], layout }, metadata).alt;
    const all = { title: { text: 'A <b>title</b>' }, meta: { alt: 'Line chart.' } };
    assert.equal(alt(all, { alt: 'of the output' }), 'Line chart.');
    assert.equal(alt({ title: all.title }, { alt: 'of the output' }), 'of the output');
    assert.equal(alt({ title: all.title }), 'A title');
    assert.equal(alt({ meta: { alt: '  ' } }), 'Figure without a description');
  });

  it('takes over what the figure says but its width, and sends nothing anywhere', () => {
    const layout = { width: 700, height: 300, meta: { caption: 'See.' } };
    const figure = readFigure({ data: [{ y: [1] }], layout, config: { responsive: true } });
    assert.deepEqual(figure.layout, { ...layout, width: undefined, autosize: true });
    assert.equal(figure.caption, 'See.');
    const { responsive, showSendToCloud, plotlyServerURL } = figure.config;
    assert.deepEqual([responsive, showSendToCloud, plotlyServerURL], [false, false, '']);
  });

  it('shares nothing with the notebook, which plotly would write into', () => {
    const content = { data: [{ y: [1, 2] }], layout: { xaxis: {} } };
    const { data, layout } = readFigure(content);
    (data[0].y as number[]).push(3);
    (layout.xaxis as Record<string, unknown>).range = [0, 1];
    assert.deepEqual(content, { data: [{ y: [1, 2] }], layout: { xaxis: {} } });
  });

  it('says which part is no figure', () => {
    const refused = (content: unknown, message: string) =>
      assert.throws(() => readFigure(content), { name: 'TypeError', message });
    refused(undefined, 'a figure is an object, not nothing');
    refused([], 'a figure is an object, not a list');
    refused({ layout: {} }, 'data: expected a list, got nothing');
    refused({ data: [{}, null] }, 'data[1]: expected an object, got null');
    refused({ data: [], layout: 'wide' }, 'layout: expected an object, got a string');
  });
});

describe('themed', () => {
  it("puts the page's colours below those of the figure's own template", () => {
    const own = { layout: { font: { size: 20 }, xaxis: { gridcolor: 'red' } }, data: { bar: [] } };
    const template = themed({ template: own }, COLOURS) as Record<string, object>;
    const layout = template.layout as Record<string, object>;
    assert.deepEqual(template.data, { bar: [] });
    assert.deepEqual(layout.font, { color: COLOURS.text, size: 20 });
    assert.deepEqual(layout.xaxis, {
      gridcolor: 'red',
      linecolor: COLOURS.faint,
      zerolinecolor: COLOURS.faint,
      tickcolor: COLOURS.faint,
    });
  });

  it('leaves a figure that sets its own ground as it is', () => {
    assert.deepEqual(themed({ paper_bgcolor: 'white' }, COLOURS), {});
    const own = { layout: { plot_bgcolor: 'white' } };
    assert.deepEqual(themed({ template: own }, COLOURS), own);
  });
});
