{#
    The closed forms of the evidence engine. All e-values are natural logarithms, guarded so that no input gives infinity or NaN.
#}

{# Asymptotic confidence sequence, as an e-value against "no difference" (Waudby-Smith et al., Annals of Statistics 2024).
   z = estimate / standard error, n = units so far, r = tuning constant. #}
{% macro log_e_mean(z, n, r) %}
    (({{ n }} * {{ r }}) / (1 + {{ n }} * {{ r }}) * power({{ z }}, 2) / 2 - ln(1 + {{ n }} * {{ r }}) / 2)
{% endmacro %}

{# Half the width of the (1 - alpha) confidence sequence. #}
{% macro half_width(standard_error, n, r, alpha) %}
    ({{ standard_error }} * sqrt((1 + 1 / ({{ n }} * {{ r }})) * (ln(1 + {{ n }} * {{ r }}) - 2 * ln({{ alpha }}))))
{% endmacro %}

{# Tuning constant that makes the sequence tightest at the planned number of units (statistics.md, section 2). #}
{% macro tuning_constant(alpha, planned_units) %}
    ((-2 * ln({{ alpha }}) + ln(1 - 2 * ln({{ alpha }}))) / {{ planned_units }})
{% endmacro %}

{# Anytime-valid t-test after k replicates (Gonen et al., The American Statistician 2005; Perez-Ortiz et al., Annals of Statistics 2024).
   Below `least` replicates the e-value is 1: too few to know their spread. #}
{% macro log_e_t(replicates, total, total_square, rho, least) %}
    case
        when {{ replicates }} < {{ least }} then 0e0
        else
            {{ replicates }} / 2e0 * (
                ln(1 + {{ t_square(replicates, total, total_square) }} / ({{ replicates }} - 1))
                - ln(1 + {{ t_square(replicates, total, total_square) }} / (({{ replicates }} - 1) * (1 + {{ replicates }} * {{ rho }})))
            ) - ln(1 + {{ replicates }} * {{ rho }}) / 2
    end
{% endmacro %}

{# Squared t statistic. Replicates that are all alike have no spread to judge by: the floor keeps the result finite. #}
{% macro t_square(replicates, total, total_square) %}
    ((power({{ total }}, 2) / {{ replicates }})
    / greatest(({{ total_square }} - power({{ total }}, 2) / {{ replicates }}) / ({{ replicates }} - 1), 1e-12))
{% endmacro %}

{# Squared t at which the e-value above reaches exp(log_threshold); null while no t can reach it. Inverting the test gives the interval. #}
{% macro t_square_at(replicates, log_threshold, rho) %}
    case
        when {{ replicates }} < 2 then null
        when exp(2 * ({{ log_threshold }}) / {{ replicates }}) * power(1 + {{ replicates }} * {{ rho }}, 1e0 / {{ replicates }}) < 1 + {{ replicates }} * {{ rho }}
            then
                ({{ replicates }} - 1)
                * (exp(2 * ({{ log_threshold }}) / {{ replicates }}) * power(1 + {{ replicates }} * {{ rho }}, 1e0 / {{ replicates }}) - 1)
                / (
                    1
                    - exp(2 * ({{ log_threshold }}) / {{ replicates }}) * power(1 + {{ replicates }} * {{ rho }}, 1e0 / {{ replicates }})
                    / (1 + {{ replicates }} * {{ rho }})
                )
    end
{% endmacro %}

{# Self-normalised e-value, valid under symmetry alone (de la Pena, Lai and Shao 2009). #}
{% macro log_e_robust(total, total_square, r) %}
    ({{ r }} * power({{ total }}, 2) / (2 * (1 + {{ r }} * {{ total_square }})) - ln(1 + {{ r }} * {{ total_square }}) / 2)
{% endmacro %}

{# Log rate of an arm: continuity-corrected for 0/1 outcomes, else the log of the mean; null when nothing positive was seen. #}
{% macro log_rate(n, sum_y, is_binary) %}
    case
        when {{ is_binary }} then ln(({{ sum_y }} + 0.5) / ({{ n }} + 1))
        when {{ sum_y }} > 0 then ln({{ sum_y }} / {{ n }})
    end
{% endmacro %}

{# The log of a mean lies below the log of what it estimates by half its relative variance, the more the fewer people (second order of the
   delta method); a 0/1 outcome's correction has that in it. #}
{% macro unbiased_log_rate(log_rate, sampling_variance, is_binary) %}
    case when {{ is_binary }} then {{ log_rate }} else {{ log_rate }} + {{ sampling_variance }} / 2 end
{% endmacro %}

{# Variance of one person's outcome over the square of its mean, from all arms of a comparison together: divided by an arm's people it is
   the sampling variance of the arm's log rate (delta method). Were it taken from the arm alone, an arm with bad luck would look noisier
   and weigh less, which bends the contrasts of one arm against many. Null where nothing positive was seen. #}
{% macro relative_variance(n, sum_y, within_square, freedom, is_binary) %}
    case
        when {{ is_binary }} then greatest({{ n }} - {{ sum_y }} + 0.5, 0) / ({{ sum_y }} + 0.5)
        when {{ sum_y }} > 0 and {{ freedom }} > 0 then greatest({{ within_square }}, 0) / {{ freedom }} * power({{ n }} / {{ sum_y }}, 2)
    end
{% endmacro %}

{# One arm's part of the Dirichlet-multinomial e-value against planned shares (Lindon and Malek, NeurIPS 2022); sum over arms, then add
   log_e_srm_total. #}
{% macro log_e_srm_arm(n, share, strength) %}
    ({{ log_gamma(strength ~ ' * ' ~ share ~ ' + ' ~ n) }} - {{ log_gamma(strength ~ ' * ' ~ share) }} - {{ n }} * ln({{ share }}))
{% endmacro %}

{% macro log_e_srm_total(n, strength) %}
    ({{ log_gamma(strength) }} - {{ log_gamma(strength ~ ' + ' ~ n) }})
{% endmacro %}
