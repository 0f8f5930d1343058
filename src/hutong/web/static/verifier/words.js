/** Sentences of the page that depend on what happens, in every language of the node. */

const said = (en, zh) => ({ en, zh });

export const ANSWERS = {
  accepted: said("Accepted", "通过"),
  refused: said("Refused", "不通过"),
  unknown: said("Unknown", "无法判断"),
};

export const ADVICE = {
  accepted: said("The pass meets the rules of this scene.", "此凭证符合该场景的规则。"),
  refused: said("This pass does not count here.", "此凭证在此不予认可。"),
  unknown: said("This is no yes and no no. Decide as your instructions say.", "这既不表示通过，也不表示不通过，请按工作规程处理。"),
};

/** Why, by the ids that the node's own verifier uses. */
export const REASONS = {
  "not-understood": said("This is not a pass that can be read here.", "这不是本地能够识读的通行凭证。"),
  "kind-not-recognised": said(
    "No rule here says what this kind of certificate is worth. Ask the health authority here about it.",
    "本地没有规则说明这类证书的效力，请向当地卫生健康部门询问。",
  ),
  "list-too-old": said("The trust list on this device is too old to decide.", "本设备上的信任清单过旧，无法判断。"),
  "clock-wrong": said("The clock of this device is earlier than its trust list.", "本设备的时钟早于信任清单的签发时间。"),
  "no-key": said("No listed party has the key that signed this pass.", "信任清单中没有任何机构持有签发此凭证的密钥。"),
  "signature-invalid": said("The signature does not fit: the pass was altered or forged.", "签名不符：此凭证被篡改或伪造。"),
  "issuer-mismatch": said("The pass names another issuer than the one whose key signed it.", "此凭证所称的签发方与签名密钥的持有方不一致。"),
  "issuer-ended": said("The issuer's entry in the trust list has ended.", "签发方在信任清单中的条目已到期。"),
  "key-ended": said("The pass was issued after its key had ended.", "此凭证签发时，其密钥已经失效。"),
  "key-not-begun": said("The pass was issued before its key was valid.", "此凭证签发时，其密钥尚未生效。"),
  "key-compromised": said(
    "The key that signed this pass was compromised. Its holder can get a new pass from the issuer.",
    "签发此凭证的密钥已泄露，持有人可向签发方重新领取。",
  ),
  "certificate-expired": said(
    "The certificate has expired. Its holder can ask who issued it for a new one.",
    "此证书已过期，持有人可向签发方申请换发。",
  ),
  "emergency-ended": said(
    "The emergency that this pass rests on ended on {day}. Passes of it are valid no more.",
    "此凭证所依据的突发事件已于{day}结束，相关凭证均不再有效。",
  ),
  "key-not-for-kind": said(
    "The key that signed this certificate is for certificates of another type.",
    "签发此证书的密钥仅可用于其他类型的证书。",
  ),
  "no-times": said("The certificate does not say when it was issued and until when it is valid.", "此证书未载明签发时间或有效期。"),
  "not-yet-valid": said("The pass is not valid yet.", "此凭证尚未生效。"),
  expired: said("The pass has expired. Until its emergency ends its holder can get a new one.", "此凭证已过期。突发事件结束前，持有人可重新领取。"),
  revoked: said("The issuer has revoked this pass.", "签发方已撤销此凭证。"),
  "no-status-list": said("There is no revocation list for this pass on this device.", "本设备上没有此凭证对应的撤销清单。"),
  "status-list-too-old": said("The revocation list on this device is too old to decide.", "本设备上的撤销清单过旧，无法判断。"),
  "no-crosswalk": said("Nothing says how the levels of this issuer read here.", "没有说明该签发方的等级在本地如何解读。"),
  "crosswalk-not-in-force": said(
    "The explanation of this issuer's levels is not in force at this time.",
    "该签发方等级的对照说明目前不在有效期内。",
  ),
  "other-rulebook": said(
    "The pass was issued under a rulebook that the explanation of levels does not cover.",
    "凭证所依据的规则手册不在等级对照说明的范围内。",
  ),
  "level-not-understood": said("The level on the pass has no meaning on the common scale.", "凭证上的等级在通用尺度上没有含义。"),
  "under-review": said(
    "An appeal against the level was not decided in time, and no rule here says what that is worth.",
    "针对该等级的申诉未按期作出决定，而本地没有规则说明应如何处理。",
  ),
  "no-rules": said("There are no acceptance rules here.", "本地没有接受规则。"),
  "rules-not-in-force": said("The acceptance rules are not in force at this time.", "接受规则目前不在有效期内。"),
  "no-rule-for-scene": said("There is no acceptance rule for this scene.", "该场景没有接受规则。"),
  "no-rule-for-certificate": said(
    "No rule that is in force here is about this type of certificate.",
    "本地现行规则均不适用于这类证书。",
  ),
  "not-one-entry": said(
    "The certificate does not hold exactly one vaccination, test or recovery.",
    "此证书所载的接种、检测或康复记录不是恰好一条。",
  ),
  "rule-not-understood": said("A rule could not be applied to what this pass says.", "有一条规则无法用于该凭证的内容。"),
  "no-list": said("There is no trust list on this device yet. Connect it to the network once.", "本设备上还没有信任清单，请先联网一次。"),
  "list-not-trusted": said(
    "The trust list cannot be used: it is not signed by this node, or not well formed.",
    "信任清单不可用：其签名不属于本节点，或格式有误。",
  ),
  "no-signatures": said(
    "This browser cannot check signatures here. Use a current browser and an https address.",
    "此浏览器在这里无法核验签名，请使用新版浏览器并通过 https 访问。",
  ),
  "no-code": said("No code was found in the picture.", "图片中没有找到二维码。"),
  "picture-not-read": said("The picture could not be opened.", "无法打开该图片。"),
};

export const KINDS = {
  hutong: said("Health pass", "健康通行凭证"),
  "eu-dcc": said("EU Digital COVID Certificate", "欧盟数字新冠证书"),
  "who-dvc": said("WHO digital vaccination certificate", "世卫组织数字疫苗证书"),
  "who-ddcc": said("WHO COVID-19 certificate", "世卫组织新冠证书"),
  "smart-health-card": said("SMART Health Card", "SMART 健康卡"),
  "icao-vds": said("ICAO travel health certificate (VDS-NC)", "国际民航组织旅行健康证明（VDS-NC）"),
  divoc: said("DIVOC certificate", "DIVOC 证书"),
  "health-link": said("SMART Health Link", "SMART 健康链接"),
  hcert: said("Other health certificate", "其他健康证书"),
};

/** Levels that no crosswalk explains, since every node has them. */
export const LEVELS = { "under-review": said("Under review", "复核中") };

export const LABELS = {
  kind: said("Kind", "种类"),
  level: said("Level", "等级"),
  issuer: said("Issuer", "签发方"),
  claimed: said("Says it is from", "自称签发方"),
  expires: said("Valid until", "有效期至"),
  scene: said("Scene", "场景"),
  list: said("Trust list", "信任清单"),
  number: said("no. {number}, {age}", "第 {number} 号，{age}"),
  justNow: said("made just now", "刚刚生成"),
  made: said("made {age}", "{age}生成"),
};

/** Facts that a holder may disclose, where this system names them; others keep the issuer's name. */
export const FACTS = {
  "level-reasons": said("Rules that gave the level", "得出该等级的规则"),
  "test-on": said("Day of the newest test", "最近一次检测的日期"),
  "test-disease": said("What the newest test looked for", "最近一次检测针对的疾病"),
  "test-result": said("Result of the newest test", "最近一次检测的结果"),
  "test-negative-on": said("Day of the newest test, which was negative", "最近一次检测（结果为阴性）的日期"),
  "test-positive-on": said("Day of the newest test, which was positive", "最近一次检测（结果为阳性）的日期"),
  "vaccinated-on": said("Day of the last vaccination", "最近一次接种的日期"),
  "vaccinated-against": said("What the last vaccination protects from", "最近一次接种所预防的疾病"),
};

export const VALUES = {
  true: said("yes", "是"),
  false: said("no", "否"),
  negative: said("negative", "阴性"),
  positive: said("positive", "阳性"),
  indeterminate: said("indeterminate", "不确定"),
};

export const TRUST = {
  fresh: said("Up to date", "最新"),
  due: said("A newer one is due", "应当更新"),
  old: said("Too old: every answer is unknown", "过旧：一律无法判断"),
  none: said("None on this device", "本设备上没有"),
};

export const CAMERA = {
  refused: said(
    "The camera was not allowed. Allow it in the browser, or choose a picture.",
    "未获准使用摄像头。请在浏览器中允许，或选择图片。",
  ),
  none: said("No camera was found. Choose a picture or paste the text.", "没有找到摄像头，请选择图片或粘贴文本。"),
};
