/** What cells import as `guardpage-kernel`: ways to show things, to ask, and to talk to front ends. */
export type { CommMessage } from './comms';
export { Comm, openComm, registerTarget } from './comms';
export type { DisplayHandle, DisplayOptions } from './display';
export { clearOutput, display } from './display';
export { input, password } from './input';
export type { Progress } from './progress';
export { progress, tracked } from './progress';
export type { Displayable, ImageType } from './show';
export { displayAll, html, image, javascript, json, latex, md, plotly, svg } from './show';
export { DISPLAY } from './symbol';
