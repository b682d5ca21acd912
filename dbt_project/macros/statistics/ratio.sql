{#
    Standard error of a ratio of two sums over independent units, R = sum(y) / sum(x), by the delta method (Deng, Knoblich and Lu 2018,
    https://arxiv.org/abs/1803.06336): what is left of y - R x. With x = 1 for every unit it is the standard error of a mean.

    n                      units
    sum_y, sum_x, ...      sums over the units, and of their squares and products

    Null where it is not defined: fewer than two units, or nothing in the denominator.
#}
{% macro ratio_error(n, sum_y, sum_x, sum_yy, sum_xy, sum_xx) %}
    case
        when {{ n }} > 1 and {{ sum_x }} > 0
            then sqrt(
                greatest(
                    {{ sum_yy }}
                    - 2 * ({{ sum_y }} / nullif({{ sum_x }}, 0)) * {{ sum_xy }}
                    + power({{ sum_y }} / nullif({{ sum_x }}, 0), 2) * {{ sum_xx }},
                    0
                ) * {{ n }} / nullif({{ n }} - 1, 0)
            ) / nullif({{ sum_x }}, 0)
    end
{% endmacro %}

{# The same for a mean of n units. #}
{% macro mean_error(n, sum_y, sum_yy) %}{{ ratio_error(n, sum_y, n, sum_yy, sum_y, n) }}{% endmacro %}
