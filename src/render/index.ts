/**
 * pictures: the map of a heap as text, SVG and a page. Pure functions of plain data; the package's
 * entry `shmalloc/pictures`, apart from the main one so that threads which only allocate do not
 * load them. Imports base, observe.
 */
export { type HtmlOptions, type MapFrame, renderHtml } from './html.js';
export { renderSvg, type SvgOptions } from './svg.js';
export { renderText, type TextOptions } from './text.js';
