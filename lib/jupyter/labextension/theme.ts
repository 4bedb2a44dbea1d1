import type { Colours } from './template';

/** Reads the current theme's colours; `at` is any element of the page. */
export function currentColours(at: HTMLElement): Colours {
  const probe = document.createElement('span');
  probe.style.display = 'none';
  at.append(probe);
  const read = (variable: string, otherwise: string) => {
    probe.style.color = `var(${variable}, ${otherwise})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    text: read('--jp-ui-font-color1', 'black'),
    faint: read('--jp-ui-font-color2', 'dimgray'),
    grid: read('--jp-border-color2', 'lightgray'),
  };
  probe.remove();
  return colours;
}

/** Calls `changed` after each change of JupyterLab's theme, until the result is called. */
export function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light'],
  });
  return () => observer.disconnect();
}
