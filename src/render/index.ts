/**
 * pictures: the map of a heap as text, SVG and a page. Pure functions of plain data; the package's
 * entry `shmalloc/pictures`, separate from the main entry so that threads which only allocate do
 * not load them.
 */
export { type HtmlOptions, type MapFrame, renderHtml } from './html.js';
export { renderSvg, type SvgOptions } from './svg.js';
export { renderText, type TextOptions } from './text.js';
