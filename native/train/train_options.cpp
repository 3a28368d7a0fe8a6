#include "train/train_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "core/json.h"
#include "train/best_weights.h"

namespace jcs::train {

namespace {

using Json = nlohmann::json;
using Type = TrainOption::Type;

template <typename T>
struct Name {
  const char* text;
  T value;
};
constexpr Name<OptimizerOptions::Kind> kOptimizers[] = {{"sgd", OptimizerOptions::Kind::kSgd},
                                                        {"adam", OptimizerOptions::Kind::kAdam},
                                                        {"adamw", OptimizerOptions::Kind::kAdamW}};
constexpr Name<Schedule::Kind> kSchedules[] = {{"constant", Schedule::Kind::kConstant},
                                               {"step", Schedule::Kind::kStep},
                                               {"poly", Schedule::Kind::kPoly},
                                               {"cosine", Schedule::Kind::kCosine}};
constexpr Name<Sampling> kSamplings[] = {{"shuffled", Sampling::kShuffled}, {"balanced", Sampling::kBalanced}};
constexpr Name<SideLoss> kLosses[] = {
    {"bce-dice", SideLoss::kBceDice}, {"bce", SideLoss::kBce}, {"bce-sum", SideLoss::kBceSum}};
constexpr Name<BatchNormMode> kBatchNorms[] = {{"batch", BatchNormMode::kBatch},
                                               {"synchronized", BatchNormMode::kSynchronized},
                                               {"eval", BatchNormMode::kEval},
                                               {"frozen", BatchNormMode::kFrozen}};

/// The decimal that was meant: 0.9f is 0.9, not 0.89999998.
double toDecimal(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double decimal = 0;
  std::from_chars(text, end, decimal);
  return decimal;
}

template <typename T>
struct Unwrapped {
  using Value = T;
};
template <typename T>
struct Unwrapped<std::optional<T>> {
  using Value = T;
};

template <typename T>
Json toJson(const T& value) {
  return value;
}
Json toJson(const float& value) { return toDecimal(value); }
template <typename T>
Json toJson(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

/// An option and the member that holds it, which SETTING names once.
struct Row : TrainOption {
  Row of(networks::Task only) && { return task = only, std::move(*this); }
  Row with(const char* other, std::vector<std::string> values) && {
    return condition = {other, std::move(values)}, std::move(*this);
  }
  /// `text` may be given, and is written, for `meaning`.
  Row word(const char* text, int64_t meaning) && {
    choices = {text};
    get = [get = std::move(get), text, meaning](const TrainConfig& config) {
      Json value = get(config);
      return value == meaning ? Json(text) : value;
    };
    set = [set = std::move(set), meaning](TrainConfig& config, const Json& value) {
      set(config, value.is_string() ? Json(meaning) : value);
    };
    return std::move(*this);
  }
  /// Says nothing where `holds` does not.
  Row where(bool (*holds)(const TrainConfig&)) && {
    get = [get = std::move(get), holds](const TrainConfig& config) { return holds(config) ? get(config) : Json(); };
    return std::move(*this);
  }
  Row changeable() && { return mayChange = true, std::move(*this); }
  Row unrecorded() && { return isRecorded = false, mayChange = true, std::move(*this); }
  Row required() && { return isRequired = true, std::move(*this); }
};

template <typename At>
Row row(Type type, const char* path, At at, const char* help) {
  Row row{{.path = path, .type = type, .help = help}};
  row.get = [at](const TrainConfig& config) { return toJson(at(config)); };
  row.set = [at](TrainConfig& config, const Json& value) {
    using Value = typename Unwrapped<std::remove_cvref_t<decltype(at(config))>>::Value;
    at(config) = value.get<Value>();
  };
  return row;
}

template <typename At>
Row ranged(Type type, const char* path, At at, double low, double high, const char* help) {
  Row ranged = row(type, path, at, help);
  ranged.low = low, ranged.high = high;
  return ranged;
}
template <typename At>
Row number(const char* path, At at, double low, double high, const char* help) {
  return ranged(Type::kNumber, path, at, low, high, help);
}
template <typename At>
Row whole(const char* path, At at, double low, double high, const char* help) {
  return ranged(Type::kWhole, path, at, low, high, help);
}
template <typename At>
Row wholes(const char* path, At at, double low, double high, const char* help) {
  Row wholes = ranged(Type::kWholes, path, at, low, high, help);
  wholes.get = [at](const TrainConfig& config) { return at(config).empty() ? Json() : Json(at(config)); };
  return wholes;
}
template <typename At>
Row flag(const char* path, At at, const char* help) {
  return row(Type::kBoolean, path, at, help);
}
template <typename At>
Row text(const char* path, At at, const char* help) {
  Row result = row(Type::kText, path, at, help);
  result.get = [at](const TrainConfig& config) { return at(config).empty() ? Json() : Json(at(config)); };
  return result;
}
template <typename At, typename T, size_t N>
Row choice(const char* path, At at, const Name<T> (&names)[N], const char* help) {
  Row choice{{.path = path, .type = Type::kChoice, .help = help}};
  for (const auto& name : names) choice.choices.emplace_back(name.text);
  choice.get = [at, &names](const TrainConfig& config) -> Json {
    for (const auto& name : names)
      if (name.value == at(config)) return name.text;
    return nullptr;
  };
  choice.set = [at, &names](TrainConfig& config, const Json& value) {
    for (const auto& name : names)
      if (value == name.text) at(config) = name.value;
  };
  return choice;
}

#define AT(member) \
  [](auto& config) -> auto& { return config.member; }
#define SETTING(member) #member, AT(member)

constexpr networks::Task kClassification = networks::Task::kClassification,
                         kSegmentation = networks::Task::kSegmentation;
constexpr double kAlmostOne = 0.9999999;

bool isByEpochs(const TrainConfig& config) { return !config.iterations; }
bool hasWindow(const TrainConfig& config) { return config.window.has_value(); }

Row bestMetric() {
  Row row = text("best.metric", AT(best.metric),
                 "the model gets the weights of the validation where this metric was best, instead of the last ones");
  row.type = Type::kChoice;
  for (const networks::Task task : {kClassification, kSegmentation}) {
    std::string names;
    for (const std::string& name : bestMetrics(task)) {
      names += (names.empty() ? "`" : ", `") + name + "`";
      if (std::ranges::find(row.choices, name) == row.choices.end()) row.choices.push_back(name);
    }
    row.help += std::string(". Of ") + networks::nameOf(task) + " " + names;
  }
  return std::move(row).required();
}

std::vector<TrainOption> makeOptions() {
  Row recipe =
      row(Type::kChoice, SETTING(recipe),
          "where settings come from that are not given. `paper` (default): section V-B; `authors`: their code, "
          "where it differs, and of a comparator its public implementation; `scratch`: tuned for short runs without "
          "ImageNet weights");
  recipe.choices = recipeNames();
  return {
      std::move(recipe),
      whole(SETTING(epochs), 1, 1e7, "how often every sample is seen").where(isByEpochs).changeable(),
      whole(SETTING(iterations), 1, 1e9, "steps, instead of `epochs`").changeable(),
      whole(SETTING(batchSize), 1, 65536, "samples per step"),
      choice(SETTING(sampling), kSamplings,
             "which samples an epoch has. `shuffled`: each once; `balanced`: infected and uninfected ones, for "
             "segmentation slices with and without lesions, in turn, the rarer ones several times and augmented anew"),
      whole(SETTING(microBatch), 0, 65536,
            "samples per pass. `auto` (default), which 0 means as well, takes the whole batch, or splits it until it "
            "fits into memory; batch-norm statistics are then those of each part")
          .word("auto", 0),
      whole(SETTING(inputSize), networks::kSmallestInput, networks::kLargestInput,
            "height and width that images are brought to, pixels"),
      number("window.center", AT(window->center), -1e6, 1e6, "HU").where(hasWindow),
      number("window.width", AT(window->width), 1e-6, 1e6, "HU").where(hasWindow),

      choice("optimizer.name", AT(optimizer.kind), kOptimizers, "what turns gradients into steps"),
      number(SETTING(optimizer.momentum), 0, 1, "share of the last step that the next one keeps")
          .with("optimizer.name", {"sgd"}),
      flag(SETTING(optimizer.nesterov), "Nesterov's form of momentum").with("optimizer.name", {"sgd"}),
      number(SETTING(optimizer.beta1), 0, kAlmostOne, "decay of the gradient's mean")
          .with("optimizer.name", {"adam", "adamw"}),
      number(SETTING(optimizer.beta2), 0, kAlmostOne, "decay of the gradient's mean square")
          .with("optimizer.name", {"adam", "adamw"}),
      number(SETTING(optimizer.epsilon), 0, 1, "added to the root of that mean square")
          .with("optimizer.name", {"adam", "adamw"}),
      number(SETTING(optimizer.weightDecay), 0, 1,
             "share of every weight that is added to its gradient; of `adamw` the share, times the learning rate, by "
             "which "
             "the weight itself shrinks"),

      number(SETTING(optimizer.maxGradientNorm), 0, 1e9,
             "a longer gradient, of all that is trained as one vector, is scaled down to this length. 0: none is"),

      choice("schedule.name", AT(schedule.kind), kSchedules,
             "the learning rate over time. `step`: times `gamma` every `stepEpochs`; `poly`: times (1 − iteration / "
             "iterations)^`power`; `cosine`: to zero"),
      number(SETTING(schedule.learningRate), 0, 100, "before warm-up and decay"),
      whole(SETTING(schedule.stepEpochs), 1, 1e9, "epochs between steps").with("schedule.name", {"step"}),
      wholes(SETTING(schedule.milestones), 1, 1e9, "after how many epochs there is a step, instead of `stepEpochs`")
          .with("schedule.name", {"step"}),
      number(SETTING(schedule.gamma), 0, 1, "factor of a step").with("schedule.name", {"step"}),
      number(SETTING(schedule.power), 0, 10, "exponent of the decay").with("schedule.name", {"poly"}),
      whole(SETTING(schedule.warmupIterations), 0, 1e9, "iterations over which the learning rate rises linearly"),
      number(SETTING(schedule.warmupFactor), 0, 1, "share of the learning rate that warm-up starts from"),
      flag(SETTING(schedule.warmupInFirstEpochOnly),
           "as the authors' code: a warm-up that outlasts the first epoch ends with it"),

      number(SETTING(augmentation.horizontalFlip), 0, 1, "probability"),
      number(SETTING(augmentation.verticalFlip), 0, 1, "probability"),
      number(SETTING(augmentation.cropMargin), 0, 0.45,
             "largest share of each side that is cut away, each side for itself"),
      number(SETTING(augmentation.symmetricCrop), 0, 0.45,
             "the same, equally from opposite sides, in half of the samples"),
      number(SETTING(augmentation.scale), 0, 4, "zoom by up to this share, in or out"),
      number(SETTING(augmentation.rotationDegrees), 0, 180, "rotation by up to ± so many degrees"),
      number(SETTING(augmentation.translation), 0, 0.5, "shift by up to ± this share of the side"),
      number(SETTING(augmentation.elastic), 0, 0.08,
             "elastic deformation: the nodes of a grid of 4 by 4 cells move by up to ± this share of the side"),
      number(SETTING(augmentation.sharpness), 0, 1,
             "blurred or sharpened by up to this share of what a 3 by 3 binomial filter takes away"),
      number(SETTING(augmentation.gain), 0, 1, "intensities times 1 ± gain"),
      number(SETTING(augmentation.offset), 0, 1, "intensities plus ± offset"),
      number(SETTING(augmentation.gamma), 0, 2, "intensities to the power of e^(± gamma)"),
      number(SETTING(augmentation.noise), 0, 1, "largest deviation of Gaussian noise"),
      number(SETTING(augmentation.windowCenter), 0, 1,
             "shift of the centre of the window that values are seen through, by up to ± this share of its width"),
      number(SETTING(augmentation.windowWidth), 0, 4,
             "width of that window times or divided by up to 1 + `windowWidth`. Images that are in [0, 1] already are "
             "stretched alike"),

      number(SETTING(ema.decay), 0, kAlmostOne,
             "average the weights over the steps. The moving average of weights and batch-norm statistics is what is "
             "validated, what checkpoints are as models, and what the trained model gets; 0 turns it off. After step t "
             "it is min(decay, (1 + t) / (10 + t))")
          .required(),
      bestMetric(),
      whole(SETTING(best.patience), 0, 1e6,
            "how many validations in a row may bring nothing better before the run ends. 0 (default): any number")
          .where([](const TrainConfig& config) { return !config.best.metric.empty(); })
          .changeable(),
      number(SETTING(mixup.alpha), 0, 100, "image mixing, equation (3), with λ of Beta(alpha, alpha). 0 turns it off")
          .of(kClassification)
          .required(),
      flag(SETTING(activationLoss), "loss on activation maps, equation (4), of samples with masks").of(kClassification),
      number(SETTING(activationLossWeight), 0, 1e6, "factor of that loss").of(kClassification),
      choice(SETTING(loss), kLosses,
             "what each side output is compared with the mask by. `bce-dice`: equation (6); `bce`: cross-entropy, "
             "averaged over batch and pixels; `bce-sum`: summed over pixels, averaged over the batch. EGNet's edge has "
             "its class-balanced cross-entropy beside each")
          .of(kSegmentation),
      number(SETTING(dice.factor), 1, 2, "of the intersection. 1 in equation (6), 2 in the usual definition")
          .of(kSegmentation)
          .with("loss", {"bce-dice"}),
      number(SETTING(dice.eps), 0, 1e6, "added to numerator and denominator")
          .of(kSegmentation)
          .with("loss", {"bce-dice"}),
      choice(SETTING(batchNorm), kBatchNorms,
             "statistics of batch norms. `batch`: of the batch, the default without pretrained weights; `eval`: stored "
             "ones, with trainable scale and offset; `frozen`: neither is trained, the default with a `backbone`; "
             "`synchronized`: as `batch`, of all processes "
             "that train together"),
      flag(SETTING(trainTrunk), "train the classifier's trunk of `jcs-joint` as well"),
      whole(SETTING(seed), 0, 0x1p53,
            "of weights, order and augmentation. The same seed trains the same model on one machine"),
      whole(SETTING(loaderThreads), 1, 256, "threads that augment ahead of the step. Results do not depend on it")
          .changeable(),
      whole(SETTING(validateEvery), 1, 1e7, "epochs between validations. The last epoch always is one").changeable(),
      text(SETTING(checkpoint.directory), "made when missing. One file in it, replaced atomically")
          .required()
          .unrecorded(),
      whole(SETTING(checkpoint.every), 1, 1e7, "epochs between checkpoints").unrecorded(),
      whole(SETTING(checkpoint.everyIterations), 1, 1e9, "iterations between checkpoints, instead of epochs")
          .unrecorded(),
      text(SETTING(resume), "a checkpoint to continue from. All other settings as in its run").unrecorded(),
  };
}

std::string format(double value) {
  std::string text = Json(value).dump();
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

}  // namespace

std::string TrainOption::group() const {
  const size_t dot = path.find('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string TrainOption::name() const {
  const size_t dot = path.find('.');
  return dot == std::string::npos ? path : path.substr(dot + 1);
}

void TrainOption::check(const Json& value) const {
  const auto mustBe = [&](const std::string& what) {
    fail(errors::kInvalidArgument, "options." + path + " must be " + what + ", got " + value.dump());
  };
  switch (type) {
    case Type::kNumber:
    case Type::kWhole: {
      if (value.is_string() && !choices.empty() && value == choices.front()) return;
      const double number = value.is_number() ? value.get<double>() : std::nan("");
      const bool isWhole = type == Type::kWhole;
      if (!(number >= low && number <= high) || (isWhole && number != std::floor(number)))
        mustBe(std::string("a ") + (isWhole ? "whole " : "") + "number between " + format(low) + " and " +
               format(high) + (choices.empty() ? "" : ", or '" + choices.front() + "'"));
      return;
    }
    case Type::kWholes: {
      bool isRising = value.is_array();
      double before = -1;
      for (const Json& item : isRising ? value : Json::array()) {
        const double number = item.is_number() ? item.get<double>() : std::nan("");
        isRising = isRising && number >= low && number <= high && number == std::floor(number) && number > before;
        before = number;
      }
      if (!isRising)
        mustBe("a list of whole numbers between " + format(low) + " and " + format(high) +
               ", each larger than the one before");
      return;
    }
    case Type::kBoolean:
      if (!value.is_boolean()) mustBe("true or false");
      return;
    case Type::kText:
      if (!value.is_string() || value == "" || value.get_ref<const std::string&>().find('\0') != std::string::npos)
        mustBe("a string that names something");
      return;
    case Type::kChoice: {
      std::string allowed;
      for (const std::string& choice : choices) {
        if (value == choice) return;
        allowed += (allowed.empty() ? "'" : ", '") + choice + "'";
      }
      mustBe("one of " + allowed);
    }
  }
}

const std::vector<TrainOption>& trainOptions() {
  static const std::vector<TrainOption> options = makeOptions();
  return options;
}

const std::vector<TrainOptionGroup>& trainOptionGroups() {
  static const std::vector<TrainOptionGroup> groups{
      {.name = "window",
       .help = "of values in HU: what the trained model sees them through",
       .begin = [](TrainConfig& config) { config.window.emplace(); }},
      {.name = "optimizer", .help = "what turns gradients into steps"},
      {.name = "schedule", .help = "the learning rate over time"},
      {.name = "augmentation",
       .help = "what is drawn anew for every sample of every epoch. Given as an object, whatever it leaves out is off",
       .isSwitch = true,
       .begin = [](TrainConfig& config) { config.augmentation = data::AugmentationOptions::none(); }},
      {.name = "ema", .help = "exponential moving average of the weights"},
      {.name = "best", .help = "which validation's weights are kept"},
      {.name = "mixup", .help = "image mixing"},
      {.name = "dice", .help = "the Dice loss"},
      {.name = "checkpoint", .help = "what an interrupted run goes on from"},
  };
  return groups;
}

}  // namespace jcs::train
