import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isEdited, resetCopy, updateCopies } from '../../lib/learner/working-copies';
import { inTemporaryFolder, writeTree } from '../support/temporary';

/** A notebook of one cell, with an output if it was run. */
const notebook = (source: string, output?: string) =>
  JSON.stringify({
    cells: [
      {
        cell_type: 'code',
        source: source.split(/(?<=\n)/),
        outputs: output === undefined ? [] : [{ output_type: 'stream', text: output }],
        metadata: output === undefined ? {} : { collapsed: true },
      },
    ],
    metadata: {},
  });

/** Originals and copies in a folder that is gone afterwards. */
class Place {
  readonly originals: string;
  readonly mine: string;

  constructor(folder: string) {
    this.originals = join(folder, 'notebooks');
    this.mine = join(folder, 'my-course');
    this.publish(notebook('one'));
  }

  publish(content: string, name = '00-start.ipynb'): void {
    writeTree(this.originals, { [name]: content });
  }

  write(content: string, name = '00-start.ipynb'): void {
    writeFileSync(join(this.mine, name), content);
  }

  update() {
    return updateCopies(this.originals, this.mine);
  }

  /** All of the learner's notebooks. */
  files(): Record<string, string> {
    const names = readdirSync(this.mine).filter((name) => name.endsWith('.ipynb'));
    return Object.fromEntries(
      names.map((name) => [name, readFileSync(join(this.mine, name), 'utf8')]),
    );
  }
}

const inPlace = (work: (place: Place) => void) =>
  inTemporaryFolder((folder) => work(new Place(folder)));

describe('the learner’s copies', () => {
  it('are made at first, and left as they are while nothing changes', () =>
    inPlace((place) => {
      place.publish(notebook('two'), '01-more.ipynb');
      assert.deepEqual(
        place.update().map(({ what }) => what),
        ['made', 'made'],
      );
      assert.deepEqual(place.files(), {
        '00-start.ipynb': notebook('one'),
        '01-more.ipynb': notebook('two'),
      });
      assert.deepEqual(
        place.update().map(({ what }) => what),
        ['unchanged', 'unchanged'],
      );
    }));

  it('keep the outputs of a run while the original stays, and are renewed when it changes', () =>
    inPlace((place) => {
      place.update();
      place.write(notebook('one', 'ran'));
      assert.deepEqual(place.update(), [{ notebook: '00-start.ipynb', what: 'unchanged' }]);
      assert.deepEqual(place.files(), { '00-start.ipynb': notebook('one', 'ran') });
      place.publish(notebook('one, better'));
      assert.deepEqual(place.update(), [{ notebook: '00-start.ipynb', what: 'renewed' }]);
      assert.deepEqual(place.files(), { '00-start.ipynb': notebook('one, better') });
    }));

  it('stay as they are once edited; the new version is put beside them once', () =>
    inPlace((place) => {
      place.update();
      place.write(notebook('one and mine'));
      assert.deepEqual(place.update(), [{ notebook: '00-start.ipynb', what: 'kept' }]);
      place.publish(notebook('one, better'));
      const beside = '00-start.new.ipynb';
      assert.deepEqual(place.update(), [{ notebook: '00-start.ipynb', what: 'kept', beside }]);
      assert.deepEqual(place.files(), {
        '00-start.ipynb': notebook('one and mine'),
        [beside]: notebook('one, better'),
      });
      rmSync(join(place.mine, beside));
      assert.deepEqual(place.update(), [{ notebook: '00-start.ipynb', what: 'kept' }]);
    }));

  it('get a newer version in place of one beside them, unless that is edited too', () =>
    inPlace((place) => {
      place.update();
      place.write(notebook('one and mine'));
      place.publish(notebook('second'));
      place.update();
      place.publish(notebook('third'));
      assert.equal(place.update()[0].beside, '00-start.new.ipynb');
      place.write(notebook('third and mine'), '00-start.new.ipynb');
      place.publish(notebook('fourth'));
      assert.equal(place.update()[0].beside, '00-start.new-2.ipynb');
      assert.deepEqual(place.files(), {
        '00-start.ipynb': notebook('one and mine'),
        '00-start.new.ipynb': notebook('third and mine'),
        '00-start.new-2.ipynb': notebook('fourth'),
      });
    }));

  it('are renewed again once the learner has taken over the new version', () =>
    inPlace((place) => {
      place.update();
      place.write(notebook('mine'));
      place.publish(notebook('second'));
      place.update();
      place.write(notebook('second', 'ran'));
      assert.equal(place.update()[0].what, 'renewed');
      place.publish(notebook('third'));
      assert.equal(place.update()[0].what, 'renewed');
    }));

  for (const damage of ['', '{"cells": [', '[]', 'null', '{"cells": [{"source": 3}]}']) {
    it(`are kept when they hold ${JSON.stringify(damage)}, which is no notebook`, () =>
      inPlace((place) => {
        place.update();
        place.write(damage);
        assert.equal(place.update()[0].what, 'kept');
        place.publish(notebook('second'));
        place.update();
        assert.equal(place.files()['00-start.ipynb'], damage);
        assert.equal(place.files()['00-start.new.ipynb'], notebook('second'));
      }));
  }

  for (const damage of ['', '{"00-start.ipynb":', '[1]', '{"00-start.ipynb": null}']) {
    it(`lose nothing when what is remembered of them is ${JSON.stringify(damage)}`, () =>
      inPlace((place) => {
        place.update();
        place.write(notebook('mine'));
        place.write(damage, '.copies.json');
        assert.equal(place.update()[0].what, 'kept');
        assert.equal(place.files()['00-start.ipynb'], notebook('mine'));
      }));
  }

  it('are brought back; an edited one is kept under another name each time', () =>
    inPlace((place) => {
      place.update();
      const reset = () => resetCopy(place.originals, place.mine, '00-start.ipynb');
      place.write(notebook('one', 'ran'));
      assert.equal(isEdited(place.originals, place.mine, '00-start.ipynb'), false);
      assert.equal(reset(), undefined);
      place.write(notebook('mine'));
      assert.equal(isEdited(place.originals, place.mine, '00-start.ipynb'), true);
      assert.equal(reset(), '00-start.backup.ipynb');
      place.write(notebook('mine again'));
      assert.equal(reset(), '00-start.backup-2.ipynb');
      assert.deepEqual(place.files(), {
        '00-start.ipynb': notebook('one'),
        '00-start.backup.ipynb': notebook('mine'),
        '00-start.backup-2.ipynb': notebook('mine again'),
      });
      assert.equal(place.update()[0].what, 'unchanged');
    }));
});
