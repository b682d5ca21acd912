{#
    Logarithm of the gamma function for x > 0, to 1e-12 relative (or absolute below 1).

    An engine without it takes Stirling's series up to x^-13 (Abramowitz and Stegun 1964, 6.1.41), from x + 8 for small x: there the first
    term left out is below 1e-15.
#}
{% macro log_gamma(x) %}{{ adapter.dispatch('log_gamma')(x) }}{% endmacro %}
{% macro default__log_gamma(x) %}lgamma({{ x }}){% endmacro %}
{% macro spark__log_gamma(x) -%}
    case
        when {{ x }} < 8 then {{ stirling('(' ~ x ~ ' + 8)') }} - ln({{ rising_product(x, 8) }})
        else {{ stirling('(' ~ x ~ ')') }}
    end
{%- endmacro %}

{% macro stirling(x) -%}
    (
        ({{ x }} - 0.5e0) * ln({{ x }}) - {{ x }} + 9.189385332046727418e-1
        + {{ polynomial('power(' ~ x ~ ', -2)', [
            '8.3333333333333333333e-2', '-2.7777777777777777778e-3', '7.9365079365079365079e-4', '-5.9523809523809523810e-4',
            '8.4175084175084175084e-4', '-1.9175269175269175269e-3', '6.4102564102564102564e-3'
        ]) }} / {{ x }}
    )
{%- endmacro %}

{# x (x + 1) ... (x + count - 1) #}
{% macro rising_product(x, count) -%}
    {%- for step in range(count) -%}({{ x }} + {{ step }}e0){{ ' * ' if not loop.last }}{%- endfor -%}
{%- endmacro %}
