/**
 * The style of html.ts's page, in addition to the style that it shares with the SVG picture
 * (markup.ts).
 */

export const PAGE_STYLE = `
:root{color-scheme:light dark}
body{margin:0;padding:24px;background:#ffffff;color:#1d2530}
body,button,output{font:14px/1.45 system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif}
main{margin:0 auto}
h1{font-size:20px;font-weight:600;margin:0 0 4px;overflow-wrap:anywhere}
.about{margin:0 0 16px;color:#5d6674;font-variant-numeric:tabular-nums}
.controls{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;margin:0 0 16px;min-height:32px}
.controls input{flex:0 1 420px;min-width:120px}.controls button{width:72px;height:30px}
.controls output{font-variant-numeric:tabular-nums}
#pictures{overflow-x:auto;padding-bottom:8px}
.stage{position:relative;margin-bottom:18px}
.stage canvas{display:block}
#over{position:absolute;left:0;top:0;pointer-events:none}
#panels svg{display:block;margin-bottom:32px;overflow:visible;width:100%;height:auto}
#tip{position:fixed;z-index:1;pointer-events:none;padding:8px 12px;max-width:min(380px,calc(100vw - 32px));
box-sizing:border-box;
border-radius:8px;background:#1d2530;color:#f4f6f9;font-size:13px;line-height:1.5;
font-variant-numeric:tabular-nums;box-shadow:0 4px 16px #0005}
#tip b{font-weight:600}#tip i{font-style:normal;color:#aeb7c4}
#tip .meter{height:6px;margin:6px 0 2px;border-radius:3px;background:#4a5361;overflow:hidden}
#tip .meter u{display:block;float:left;height:6px}
@media (max-width:600px){body{padding:12px}.controls output{flex-basis:100%}}
@media (prefers-color-scheme:dark){body{background:#12151a;color:#e7eaef}
.about{color:#9aa3b0}#tip{background:#2b323d}}
`;
