/** Sentences of the page that depend on what happens, in every language of the node. */

export const ANSWERS = {
  accepted: { en: "Accepted", zh: "通过" },
  refused: { en: "Refused", zh: "不通过" },
  unknown: { en: "Unknown", zh: "无法判断" },
};

export const ADVICE = {
  accepted: { en: "The pass meets the rules of this scene.", zh: "此凭证符合该场景的规则。" },
  refused: { en: "This pass does not count here.", zh: "此凭证在此不予认可。" },
  unknown: {
    en: "This is no yes and no no. Decide as your instructions say.",
    zh: "这既不表示通过，也不表示不通过，请按工作规程处理。",
  },
};

/** Why, by the ids that the node's own verifier uses. */
export const REASONS = {
  "not-understood": { en: "This is not a pass that can be read here.", zh: "这不是本地能够识读的通行凭证。" },
  "kind-not-recognised": {
    en: "No rule here says what this kind of certificate is worth. Ask the health authority here about it.",
    zh: "本地没有规则说明这类证书的效力，请向当地卫生健康部门询问。",
  },
  "list-too-old": {
    en: "The trust list on this device is too old to decide.",
    zh: "本设备上的信任清单过旧，无法判断。",
  },
  "clock-wrong": {
    en: "The clock of this device is earlier than its trust list.",
    zh: "本设备的时钟早于信任清单的签发时间。",
  },
  "no-key": {
    en: "No listed party has the key that signed this pass.",
    zh: "信任清单中没有任何机构持有签发此凭证的密钥。",
  },
  "signature-invalid": {
    en: "The signature does not fit: the pass was altered or forged.",
    zh: "签名不符：此凭证被篡改或伪造。",
  },
  "issuer-mismatch": {
    en: "The pass names another issuer than the one whose key signed it.",
    zh: "此凭证所称的签发方与签名密钥的持有方不一致。",
  },
  "issuer-ended": { en: "The issuer's entry in the trust list has ended.", zh: "签发方在信任清单中的条目已到期。" },
  "key-ended": { en: "The pass was issued after its key had ended.", zh: "此凭证签发时，其密钥已经失效。" },
  "key-not-begun": { en: "The pass was issued before its key was valid.", zh: "此凭证签发时，其密钥尚未生效。" },
  "key-compromised": {
    en: "The key that signed this pass was compromised. Its holder can get a new pass from the issuer.",
    zh: "签发此凭证的密钥已泄露，持有人可向签发方重新领取。",
  },
  "certificate-expired": {
    en: "The certificate has expired. Its holder can ask who issued it for a new one.",
    zh: "此证书已过期，持有人可向签发方申请换发。",
  },
  "emergency-ended": {
    en: "The emergency that this pass rests on ended on {day}. Passes of it are valid no more.",
    zh: "此凭证所依据的突发事件已于{day}结束，相关凭证均不再有效。",
  },
  "key-not-for-kind": {
    en: "The key that signed this certificate is for certificates of another type.",
    zh: "签发此证书的密钥仅可用于其他类型的证书。",
  },
  "no-times": {
    en: "The certificate does not say when it was issued and until when it is valid.",
    zh: "此证书未载明签发时间或有效期。",
  },
  "not-yet-valid": { en: "The pass is not valid yet.", zh: "此凭证尚未生效。" },
  expired: { en: "The pass has expired. Until its emergency ends its holder can get a new one.", zh: "此凭证已过期。突发事件结束前，持有人可重新领取。" },
  revoked: { en: "The issuer has revoked this pass.", zh: "签发方已撤销此凭证。" },
  "no-status-list": {
    en: "There is no revocation list for this pass on this device.",
    zh: "本设备上没有此凭证对应的撤销清单。",
  },
  "status-list-too-old": {
    en: "The revocation list on this device is too old to decide.",
    zh: "本设备上的撤销清单过旧，无法判断。",
  },
  "no-crosswalk": {
    en: "Nothing says how the levels of this issuer read here.",
    zh: "没有说明该签发方的等级在本地如何解读。",
  },
  "crosswalk-not-in-force": {
    en: "The explanation of this issuer's levels is not in force at this time.",
    zh: "该签发方等级的对照说明目前不在有效期内。",
  },
  "other-rulebook": {
    en: "The pass was issued under a rulebook that the explanation of levels does not cover.",
    zh: "凭证所依据的规则手册不在等级对照说明的范围内。",
  },
  "level-not-understood": {
    en: "The level on the pass has no meaning on the common scale.",
    zh: "凭证上的等级在通用尺度上没有含义。",
  },
  "under-review": {
    en: "An appeal against the level was not decided in time, and no rule here says what that is worth.",
    zh: "针对该等级的申诉未按期作出决定，而本地没有规则说明应如何处理。",
  },
  "no-rules": { en: "There are no acceptance rules here.", zh: "本地没有接受规则。" },
  "rules-not-in-force": { en: "The acceptance rules are not in force at this time.", zh: "接受规则目前不在有效期内。" },
  "no-rule-for-scene": { en: "There is no acceptance rule for this scene.", zh: "该场景没有接受规则。" },
  "no-rule-for-certificate": {
    en: "No rule that is in force here is about this type of certificate.",
    zh: "本地现行规则均不适用于这类证书。",
  },
  "not-one-entry": {
    en: "The certificate does not hold exactly one vaccination, test or recovery.",
    zh: "此证书所载的接种、检测或康复记录不是恰好一条。",
  },
  "rule-not-understood": {
    en: "A rule could not be applied to what this pass says.",
    zh: "有一条规则无法用于该凭证的内容。",
  },
  "no-list": {
    en: "There is no trust list on this device yet. Connect it to the network once.",
    zh: "本设备上还没有信任清单，请先联网一次。",
  },
  "list-not-trusted": {
    en: "The trust list cannot be used: it is not signed by this node, or not well formed.",
    zh: "信任清单不可用：其签名不属于本节点，或格式有误。",
  },
  "no-signatures": {
    en: "This browser cannot check signatures here. Use a current browser and an https address.",
    zh: "此浏览器在这里无法核验签名，请使用新版浏览器并通过 https 访问。",
  },
  "no-code": { en: "No code was found in the picture.", zh: "图片中没有找到二维码。" },
  "picture-not-read": { en: "The picture could not be opened.", zh: "无法打开该图片。" },
};

export const KINDS = {
  hutong: { en: "Health pass", zh: "健康通行凭证" },
  "eu-dcc": { en: "EU Digital COVID Certificate", zh: "欧盟数字新冠证书" },
  "who-dvc": { en: "WHO digital vaccination certificate", zh: "世卫组织数字疫苗证书" },
  "who-ddcc": { en: "WHO COVID-19 certificate", zh: "世卫组织新冠证书" },
  "smart-health-card": { en: "SMART Health Card", zh: "SMART 健康卡" },
  "icao-vds": { en: "ICAO travel health certificate (VDS-NC)", zh: "国际民航组织旅行健康证明（VDS-NC）" },
  divoc: { en: "DIVOC certificate", zh: "DIVOC 证书" },
  "health-link": { en: "SMART Health Link", zh: "SMART 健康链接" },
  hcert: { en: "Other health certificate", zh: "其他健康证书" },
};

/** Levels that no crosswalk explains, since every node has them. */
export const LEVELS = { "under-review": { en: "Under review", zh: "复核中" } };

export const LABELS = {
  kind: { en: "Kind", zh: "种类" },
  level: { en: "Level", zh: "等级" },
  issuer: { en: "Issuer", zh: "签发方" },
  claimed: { en: "Says it is from", zh: "自称签发方" },
  expires: { en: "Valid until", zh: "有效期至" },
  scene: { en: "Scene", zh: "场景" },
  list: { en: "Trust list", zh: "信任清单" },
  number: { en: "no. {number}, {age}", zh: "第 {number} 号，{age}" },
  justNow: { en: "made just now", zh: "刚刚生成" },
  made: { en: "made {age}", zh: "{age}生成" },
};

/** Facts that a holder may disclose, where this system names them; others keep the issuer's name. */
export const FACTS = {
  "level-reasons": { en: "Rules that gave the level", zh: "得出该等级的规则" },
  "test-on": { en: "Day of the newest test", zh: "最近一次检测的日期" },
  "test-disease": { en: "What the newest test looked for", zh: "最近一次检测针对的疾病" },
  "test-result": { en: "Result of the newest test", zh: "最近一次检测的结果" },
  "test-negative-on": { en: "Day of the newest test, which was negative", zh: "最近一次检测（结果为阴性）的日期" },
  "test-positive-on": { en: "Day of the newest test, which was positive", zh: "最近一次检测（结果为阳性）的日期" },
  "vaccinated-on": { en: "Day of the last vaccination", zh: "最近一次接种的日期" },
  "vaccinated-against": { en: "What the last vaccination protects from", zh: "最近一次接种所预防的疾病" },
};

export const VALUES = {
  true: { en: "yes", zh: "是" },
  false: { en: "no", zh: "否" },
  negative: { en: "negative", zh: "阴性" },
  positive: { en: "positive", zh: "阳性" },
  indeterminate: { en: "indeterminate", zh: "不确定" },
};

export const TRUST = {
  fresh: { en: "Up to date", zh: "最新" },
  due: { en: "A newer one is due", zh: "应当更新" },
  old: { en: "Too old: every answer is unknown", zh: "过旧：一律无法判断" },
  none: { en: "None on this device", zh: "本设备上没有" },
};

export const CAMERA = {
  refused: {
    en: "The camera was not allowed. Allow it in the browser, or choose a picture.",
    zh: "未获准使用摄像头。请在浏览器中允许，或选择图片。",
  },
  none: { en: "No camera was found. Choose a picture or paste the text.", zh: "没有找到摄像头，请选择图片或粘贴文本。" },
};
